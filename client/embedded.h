/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EmbeddedDaemon: a ktraced of the client's own, for --embedded. It runs as a child, in a process group of
 * its own so that Ctrl-C does not reach it, serves on a socket pair, and ends when the client's end is closed.
 *
 * Life cycle: EMBEDDED_DAEMON_NONE; embedded_start() makes the child; the caller closes the socket;
 * embedded_wait() waits until the child has gone.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "core/error.h"

typedef struct EmbeddedDaemon {
        pid_t pid; /* 0: none */
} EmbeddedDaemon;

#define EMBEDDED_DAEMON_NONE ((EmbeddedDaemon){ .pid = 0 })

/* Only root may. The program is ../daemon/ktraced from the running one (a build directory), else the installed
 * one. *ret_fd is the client's end of the socket, the caller's to close. ERROR_ACCESS_DENIED, ERROR_FAILED. */
int embedded_start(EmbeddedDaemon *daemon, Error *error, int *ret_fd);

/* Whether the child has ended, and then its exit status (128 + signal when a signal ended it). */
bool embedded_has_ended(EmbeddedDaemon *daemon, int *ret_status);

void embedded_wait(EmbeddedDaemon *daemon);
