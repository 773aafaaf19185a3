/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/exec-child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktraced/cleanup.h"

static int mask_signals(int how) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGCHLD);
        return sigprocmask(how, &set, NULL) < 0 ? -errno : 0;
}

int exec_child_block_signals(void) {
        return mask_signals(SIG_BLOCK);
}

int exec_child_fork(ExecChild *child) {
        CLEANUP_CLOSE int reader = -1, writer = -1;
        int ends[2];
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        reader = ends[0];
        writer = ends[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                (void) mask_signals(SIG_UNBLOCK);
                *child = (ExecChild){ .pid = 0, .error_fd = steal_fd(&writer) };
                return 0;
        }
        *child = (ExecChild){ .pid = pid, .error_fd = steal_fd(&reader) };
        return 1;
}

void exec_child_report(ExecChild *child, int r) {
        ssize_t n;

        /* A pipe takes so few bytes at once or not at all; without them the parent sees only the status. */
        n = write(child->error_fd, &r, sizeof(r));
        _exit(n == (ssize_t) sizeof(r) ? 127 : 126);
}

int exec_child_confirm(ExecChild *child) {
        ssize_t n;
        int r = 0;

        do
                n = read(child->error_fd, &r, sizeof(r));
        while (n < 0 && errno == EINTR);
        closep(&child->error_fd);
        child->error_fd = -1;
        if (n != (ssize_t) sizeof(r))
                return 0;
        (void) exec_child_wait(child->pid);
        return r;
}

int exec_child_exit_status(int wait_status) {
        return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

int exec_child_wait(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return exec_child_exit_status(status);
}
