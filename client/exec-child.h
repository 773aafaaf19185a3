/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ExecChild: a child process that is about to run another program, and the news whether it could.
 *
 * Life cycle: exec_child_fork(); in the child, prepare, execve(2), and exec_child_report() when that failed; in
 * the parent, exec_child_confirm(), after which `pid` is an ordinary child.
 */

#include <sys/types.h>

typedef struct ExecChild {
        pid_t pid;    /* in the parent */
        int error_fd; /* a pipe that execve(2) closes */
} ExecChild;

/* Blocks those signals that an event loop takes. */
int exec_child_block_signals(void);

/* Returns 0 in the child, a positive number in the parent, or -errno. In the child the signals of above are not
 * blocked. */
int exec_child_fork(ExecChild *child);

/* In the child: tells the parent of the -errno `r` and exits. */
void exec_child_report(ExecChild *child, int r) __attribute__((noreturn));

/* In the parent: waits for the execve(2). On failure the child has been reaped. */
int exec_child_confirm(ExecChild *child);

/* Waits until a child has ended. Returns its exit status, 128 + signal when a signal ended it, or -errno. */
int exec_child_wait(pid_t pid);

/* The exit status a shell would give for a wait status, likewise. */
int exec_child_exit_status(int wait_status);
