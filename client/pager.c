/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client/exec-child.h"
#include "core/parse.h"
#include "core/strv.h"

/* Quit when it fits the screen, colours, chop long lines, no clearing, no wait for a keypress on Ctrl-C. */
#define LESS_OPTIONS "FRSXMK"

static bool is_secure(void) {
        const char *setting = getenv("SYSTEMD_PAGERSECURE");
        bool secure;

        if (setting && parse_boolean(setting, &secure) >= 0)
                return secure;
        return getuid() != geteuid() || getenv("SUDO_UID") || getenv("PKEXEC_UID");
}

/* The pager's command line; -ENOENT when the user wants none. */
static int find_command(bool secure, char ***ret) {
        CLEANUP(strv_freep) char **words = NULL;
        const char *command = getenv("SYSTEMD_PAGER") ?: getenv("PAGER");
        int r;

        if (command && (*command == '\0' || strcmp(command, "cat") == 0))
                return -ENOENT;
        r = strv_split(command && !secure ? command : "less", " ", &words);
        if (r < 0)
                return r;
        if (strv_length(words) == 0)
                return -ENOENT;
        *ret = STEAL_PTR(words);
        return 0;
}

static int become_pager(char **command, bool secure, int fd) {
        if (dup2(fd, STDIN_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ||
            setenv("LESS", getenv("SYSTEMD_LESS") ?: LESS_OPTIONS, 1) < 0)
                return -errno;
        if (secure && setenv("LESSSECURE", "1", 1) < 0)
                return -errno;
        execvp(command[0], command);
        return -errno;
}

void pager_open(Pager *pager, const Globals *globals) {
        CLEANUP(strv_freep) char **command = NULL;
        CLEANUP_CLOSE int reader = -1, writer = -1;
        bool secure = is_secure();
        ExecChild child;
        int ends[2], r;

        if (pager->pid > 0 || !globals->pager || !isatty(STDOUT_FILENO) || find_command(secure, &command) < 0)
                return;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        reader = ends[0];
        writer = ends[1];
        fflush(stdout);
        r = exec_child_fork(&child);
        if (r < 0)
                return;
        if (r == 0)
                exec_child_report(&child, become_pager(command, secure, reader));
        /* Without the program there is no paging, but still output. */
        if (exec_child_confirm(&child) < 0)
                return;
        if (dup2(writer, STDOUT_FILENO) < 0) {
                (void) kill(child.pid, SIGTERM);
                (void) exec_child_wait(child.pid);
                return;
        }
        pager->pid = child.pid;
        /* Ctrl-C is the pager's: were this process to go, the pager would go on reading from the shell's
         * terminal. Leaving the pager ends this process through SIGPIPE. */
        (void) signal(SIGINT, SIG_IGN);
}

void pager_close(Pager *pager) {
        if (pager->pid <= 0)
                return;
        fflush(stdout);
        /* The end of the data, for the pager. */
        (void) close(STDOUT_FILENO);
        (void) exec_child_wait(pager->pid);
        pager->pid = 0;
}
