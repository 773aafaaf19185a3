/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktraced/cleanup.h"

static int on_end(sd_event_source *source, const siginfo_t *info, void *userdata) {
        Program *program = userdata;

        program->ended = true;
        program->exit_status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
        return 0;
}

/* In the child: waits for the gate to open, then becomes the program. */
static int become_program(int gate, char *argv[]) {
        char byte;
        ssize_t n;

        do
                n = read(gate, &byte, 1);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                _exit(EXIT_FAILURE); /* nobody waits for news */
        execvp(argv[0], argv);
        return -errno;
}

int program_fork(Program *program, sd_event *event, char *argv[]) {
        CLEANUP_CLOSE int reader = -1, writer = -1;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        reader = ends[0];
        writer = ends[1];
        r = exec_child_fork(&program->child);
        if (r < 0)
                return r;
        if (r == 0) {
                /* With its own end open the child would never see the parent's closed. */
                closep(&writer);
                exec_child_report(&program->child, become_program(reader, argv));
        }
        program->gate = steal_fd(&writer);

        program->pidfd = pidfd_open(program->child.pid, 0);
        if (program->pidfd < 0)
                return -errno;
        return sd_event_add_child_pidfd(event, &program->watch, program->pidfd, WEXITED, on_end, program);
}

int program_release(Program *program) {
        int r;

        if (write(program->gate, "", 1) != 1)
                return -errno;
        program->released = true;
        r = exec_child_confirm(&program->child);
        if (r < 0) {
                /* Reaped already: the event loop must not look for it. */
                program->watch = sd_event_source_disable_unref(program->watch);
                program->ended = true;
        }
        return r;
}

void program_signal(Program *program, int signal_number) {
        if (program->released && !program->ended)
                (void) pidfd_send_signal(program->pidfd, signal_number, NULL, 0);
}

void program_clear(Program *program) {
        sd_event_source_disable_unref(program->watch);
        closep(&program->gate);
        if (program->child.pid > 0 && !program->released && !program->ended)
                (void) exec_child_wait(program->child.pid);
        closep(&program->child.error_fd);
        closep(&program->pidfd);
        *program = PROGRAM_NONE;
}
