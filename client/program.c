/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktraced/cleanup.h"

/* It is waited for in program_clear() only: as long as it is not, its number is nobody else's, and the daemon can
 * find out what it was called. */
static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Program *program = userdata;
        siginfo_t info = { 0 };

        if (waitid(P_PIDFD, (id_t) program->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
                return -errno;
        if (info.si_pid == 0)
                return 0;
        program->ended = true;
        program->exit_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
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

int program_fork(Program *program, sd_event *event, char *argv[], bool no_new_privs) {
        CLEANUP_CLOSE int reader = -1, writer = -1, ready = -1, told = -1;
        int ends[2], r;
        char byte;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        reader = ends[0];
        writer = ends[1];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        ready = ends[0];
        told = ends[1];
        r = exec_child_fork(&program->child);
        if (r < 0)
                return r;
        if (r == 0) {
                /* With its own end open the child would never see the parent's closed. */
                closep(&writer);
                if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                        exec_child_report(&program->child, -errno);
                closep(&told);
                told = -1;
                exec_child_report(&program->child, become_program(reader, argv));
        }
        program->gate = steal_fd(&writer);

        /* The daemon looks at the process as soon as it is told of it: only from here on is it what it is to be. */
        closep(&told);
        told = -1;
        while (read(ready, &byte, 1) < 0 && errno == EINTR)
                ;

        program->pidfd = pidfd_open(program->child.pid, 0);
        if (program->pidfd < 0)
                return -errno;
        return sd_event_add_io(event, &program->watch, program->pidfd, EPOLLIN, on_end, program);
}

int program_release(Program *program) {
        int r;

        if (write(program->gate, "", 1) != 1)
                return -errno;
        program->released = true;
        r = exec_child_confirm(&program->child);
        if (r < 0) {
                /* Waited for already: the event loop must not look for it. */
                program->watch = sd_event_source_disable_unref(program->watch);
                program->ended = program->reaped = true;
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
        if (program->child.pid > 0 && !program->reaped && (!program->released || program->ended))
                (void) exec_child_wait(program->child.pid);
        closep(&program->child.error_fd);
        closep(&program->pidfd);
        *program = PROGRAM_NONE;
}
