/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Program: the program whose running is traced. Its process is there from the beginning, so that the daemon can
 * be told of it, but it runs the program only once tracing is on.
 *
 * Life cycle: PROGRAM_NONE; program_fork(); program_release(); the event loop sees it end; program_clear(),
 * which also ends a process that was never released.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "client/exec-child.h"

typedef struct Program {
        ExecChild child;
        int pidfd; /* for the daemon */
        int gate;  /* a byte written here lets the process go on */
        sd_event_source *watch;
        bool released;
        bool ended;
        bool reaped;     /* nothing is left to wait for */
        int exit_status; /* as a shell has it; once ended */
} Program;

#define PROGRAM_NONE ((Program){ .child = { .pid = 0, .error_fd = -1 }, .pidfd = -1, .gate = -1 })

/* `argv` as for execvp(3). `no_new_privs`: it can never have more rights than it has now (prctl(2)). SIGCHLD must be
 * blocked. -errno. */
int program_fork(Program *program, sd_event *event, char *argv[], bool no_new_privs);

/* -errno of the execve(2) when the program cannot be run; the process has then ended. */
int program_release(Program *program);

/* Sends a signal, if it still runs. */
void program_signal(Program *program, int signal_number);

void program_clear(Program *program);
