/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl capture ...`: what was recorded and is in the daemon's keeping. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/bus-capture.h"
#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/capture-source.h"
#include "client/exec-child.h"
#include "client/file-copy.h"
#include "client/pager.h"
#include "client/table.h"
#include "client/verb-each.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/strv.h"

enum {
        OPTION_SEGMENT = OPTION_OF_VERB,
};

/* The descriptor under which a command finds the segment. */
#define COMMAND_FD 3
#define COMMAND_PATH "/dev/fd/3"

static int describe_one(BusClient *client, const char *name, Error *error, char **ret) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_capture(client, name, error, &path);
        return r < 0 ? r : bus_capture_describe(client, path, error, ret);
}

static int capture_show(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "show capture", "capture show CAPTURE...", .describe = describe_one };

        return verb_each(&each, globals, argc, argv);
}

static int delete_one(BusClient *client, const char *name, Error *error) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_capture(client, name, error, &path);
        return r < 0 ? r : bus_capture_delete(client, path, error);
}

static int pin_one(BusClient *client, const char *name, Error *error) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_capture(client, name, error, &path);
        return r < 0 ? r : bus_capture_pin(client, path, true, error);
}

static int capture_pin(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "pin capture", "capture pin CAPTURE...", .run = pin_one };

        return verb_each(&each, globals, argc, argv);
}

static int unpin_one(BusClient *client, const char *name, Error *error) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_capture(client, name, error, &path);
        return r < 0 ? r : bus_capture_pin(client, path, false, error);
}

static int capture_unpin(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "unpin capture", "capture unpin CAPTURE...", .run = unpin_one };

        return verb_each(&each, globals, argc, argv);
}

static int capture_delete(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "delete capture", "capture delete CAPTURE...", .run = delete_one };

        return verb_each(&each, globals, argc, argv);
}

/* The arguments of open and export. */
typedef struct Transfer {
        uint32_t segment; /* 0: not given */
        char **words;     /* after the options */
        size_t n_words;
} Transfer;

/* `letters` begins with '+' where a command may follow. */
static ParseResult transfer_parse(Transfer *transfer, Globals *globals, int argc, char *argv[], const char *letters) {
        static const struct option options[] = {
                GLOBALS_LONG,
                { "segment", required_argument, NULL, OPTION_SEGMENT },
                { NULL, 0, NULL, 0 },
        };
        uint64_t number;
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
                ParseResult result;

                if (c == OPTION_SEGMENT) {
                        if (parse_unsigned(optarg, &number) < 0 || number == 0 || number > UINT32_MAX) {
                                (void) verb_usage("--segment '%s': expected the number of a segment.", optarg);
                                return PARSE_WRONG;
                        }
                        transfer->segment = (uint32_t) number;
                        continue;
                }
                result = globals_take_option(globals, c, optarg);
                if (result != PARSE_GO_ON)
                        return result;
        }
        transfer->words = argv + optind;
        transfer->n_words = (size_t) (argc - optind);
        return PARSE_GO_ON;
}

static int become_command(char **command, int fd) {
        if (fd == COMMAND_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, COMMAND_FD) < 0)
                return -errno;
        execvp(command[0], command);
        return -errno;
}

/* A command opens its argument anew, and only root may do that with a file in the daemon's store, whoever
 * owns the capture: give it a copy then, in memory. */
static int make_reopenable(int *fd) {
        CLEANUP_CLOSE int reopened = -1, copy = -1;
        char path[sizeof("/proc/self/fd/") + 10];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
        reopened = open(path, O_RDONLY | O_CLOEXEC);
        if (reopened >= 0)
                return 0;

        copy = memfd_create("trace.dat", MFD_CLOEXEC);
        if (copy < 0)
                return -errno;
        r = file_copy_sparse(*fd, copy);
        if (r < 0)
                return r;
        (void) close(*fd);
        *fd = steal_fd(&copy);
        return 0;
}

/* Runs COMMAND [ARGUMENT...] /dev/fd/3. Its exit status is this one's. */
static int run_command(char *const *words, int fd) {
        CLEANUP(strv_freep) char **command = NULL;
        ExecChild child;
        int r;

        r = strv_copy(words, &command);
        if (r >= 0)
                r = strv_append(&command, COMMAND_PATH);
        if (r >= 0)
                r = exec_child_fork(&child);
        if (r < 0)
                return verb_failed_errno(r, "run %s", words[0]);
        if (r == 0)
                exec_child_report(&child, become_command(command, fd));
        r = exec_child_confirm(&child);
        if (r < 0) {
                (void) verb_failed_errno(r, "run %s", words[0]);
                return r == -ENOENT ? 127 : 126;
        }
        r = exec_child_wait(child.pid);
        return r < 0 ? verb_failed_errno(r, "wait for %s", words[0]) : r;
}

static int capture_open(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_FREE char *path = NULL;
        CLEANUP_CLOSE int fd = -1;
        Transfer transfer = { 0 };
        ParseResult result;
        char **command;
        int r;

        result = transfer_parse(&transfer, globals, argc, argv, "+" GLOBALS_SHORT);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (transfer.n_words == 0)
                return verb_usage("Usage: ktracectl capture open [--segment=N] CAPTURE [-- COMMAND [ARGUMENT...]]");
        command = transfer.words + 1;
        if (command[0] && strcmp(command[0], "--") == 0)
                command++;
        if (!command[0] && isatty(STDOUT_FILENO))
                return verb_usage("A segment is no text: send standard output somewhere, or name a command.");

        if (bus_client_new(globals, &error, &client) < 0)
                return verb_failed(&error, "connect to ktraced");
        if (bus_manager_get_capture(client, transfer.words[0], &error, &path) < 0 ||
            bus_capture_open(client, path, transfer.segment, &error, &fd) < 0)
                return verb_failed(&error, "open capture %s", transfer.words[0]);
        if (command[0]) {
                r = make_reopenable(&fd);
                return r < 0 ? verb_failed_errno(r, "copy the segment") : run_command(command, fd);
        }
        r = file_copy(fd, STDOUT_FILENO);
        return r < 0 ? verb_failed_errno(r, "write the segment") : EXIT_SUCCESS;
}

/* A file that must not be there yet. */
static int create_file(int dir_fd, const char *name, Error *error, int *ret) {
        int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

        if (fd < 0)
                return error_set_errno(error, -errno, "Cannot create %s", name);
        *ret = fd;
        return 0;
}

static int export_segment(BusClient *client, const CaptureSource *source, uint32_t number, int dir_fd,
                          const char *name, Error *error) {
        CLEANUP_CLOSE int from = -1, to = -1;
        int r;

        r = bus_capture_open(client, source->path, number, error, &from);
        if (r >= 0)
                r = create_file(dir_fd, name, error, &to);
        if (r < 0)
                return r;
        r = file_copy_sparse(from, to);
        return r < 0 ? error_set_errno(error, r, "Cannot write %s", name) : 0;
}

static int export_metadata(const CaptureSource *source, int dir_fd, Error *error) {
        CLEANUP_FCLOSE FILE *file = NULL;
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = create_file(dir_fd, "capture.json", error, &fd);
        if (r < 0)
                return r;
        file = fdopen(fd, "w");
        if (!file)
                return error_set_errno(error, -errno, "Cannot write capture.json");
        (void) steal_fd(&fd);
        if (fprintf(file, "%s\n", source->description) < 0 || fflush(file) != 0)
                return error_set_errno(error, -errno, "Cannot write capture.json");
        return 0;
}

static int export_all(BusClient *client, const CaptureSource *source, const char *target, Error *error) {
        CLEANUP_CLOSE int dir_fd = -1;
        int r;

        if (mkdir(target, 0777) < 0)
                return error_set_errno(error, -errno, "Cannot make the directory %s", target);
        dir_fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return error_set_errno(error, -errno, "Cannot open the directory %s", target);
        for (size_t i = 0; i < source->metadata->n_segments; i++) {
                uint32_t number = (uint32_t) source->metadata->segments[i].number;
                char name[32];

                (void) snprintf(name, sizeof(name), "trace-%06" PRIu32 ".dat", number);
                r = export_segment(client, source, number, dir_fd, name, error);
                if (r < 0)
                        return r;
        }
        return export_metadata(source, dir_fd, error);
}

static int capture_export(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(capture_source_clear) CaptureSource source = { 0 };
        Transfer transfer = { 0 };
        ParseResult result;
        int r;

        result = transfer_parse(&transfer, globals, argc, argv, GLOBALS_SHORT);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (transfer.n_words != 2)
                return verb_usage("Usage: ktracectl capture export CAPTURE DIRECTORY\n"
                                  "       ktracectl capture export --segment=N CAPTURE FILE");
        if (bus_client_new(globals, &error, &client) < 0)
                return verb_failed(&error, "connect to ktraced");
        r = capture_source_get(client, transfer.words[0], &error, &source);
        if (r >= 0 && transfer.segment > 0)
                r = export_segment(client, &source, transfer.segment, AT_FDCWD, transfer.words[1], &error);
        else if (r >= 0)
                r = export_all(client, &source, transfer.words[1], &error);
        return r < 0 ? verb_failed(&error, "export capture %s", transfer.words[0]) : EXIT_SUCCESS;
}

int verb_capture(Globals *globals, int argc, char *argv[]) {
        static const Verb verbs[] = {
                { "list", verb_capture_list }, { "show", capture_show },     { "open", capture_open },
                { "export", capture_export },  { "pin", capture_pin },       { "unpin", capture_unpin },
                { "vacuum", verb_vacuum },     { "delete", capture_delete },
        };

        return verb_dispatch(verbs, ELEMENTSOF(verbs), "capture verb", globals, argc, argv);
}
