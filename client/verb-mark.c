/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl mark`: puts a line into a session's trace, or all lines of the standard input. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/verb.h"
#include "core/strv.h"
#include "ktraced/cleanup.h"

static int copy_lines(int fd) {
        CLEANUP_FREE char *line = NULL;
        size_t allocated = 0;
        ssize_t n;

        while ((n = getline(&line, &allocated, stdin)) > 0)
                if (write(fd, line, (size_t) n) != n)
                        return errno ? -errno : -EIO;
        return ferror(stdin) ? -EIO : 0;
}

static int write_words(int fd, char *const *words) {
        CLEANUP_FREE char *text = NULL;
        int r = strv_join(words, " ", &text);

        if (r < 0)
                return r;
        return dprintf(fd, "%s\n", text) < 0 ? -errno : 0;
}

int verb_mark(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_FREE char *path = NULL;
        CLEANUP_CLOSE int fd = -1;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 2, -1, "mark SESSION TEXT...|-", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_get_session(client, words[0], &error, &path);
        if (r >= 0)
                r = bus_session_open_marker(client, path, &error, &fd);
        if (r < 0)
                return verb_failed(&error, "mark session %s", words[0]);
        /* A person can wait where a program that is traced could not. */
        (void) fcntl(fd, F_SETFL, O_WRONLY);
        r = strcmp(words[1], "-") == 0 && !words[2] ? copy_lines(fd) : write_words(fd, words + 1);
        return r < 0 ? verb_failed_errno(r, "mark session %s", words[0]) : EXIT_SUCCESS;
}
