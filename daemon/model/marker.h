/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Marker: a pipe whose lines appear in a session's trace, as print events "COMM-PID: line".
 *
 * Life cycle: session_open_marker() while the session is active; it goes when the writer closes its end, or when the
 * run ends (session_close_markers()). Lines are taken at MARKER_RATE a second; then the pipe fills, and a
 * writer, whose end does not block, gets EAGAIN: what is traced never waits for the tracer.
 */

#include <stdint.h>
#include <sys/types.h>

#include "model/model.h"

#define MARKERS_MAX 16U   /* of a session */
#define MARKER_RATE 1000U /* lines a second, of each marker */

/* `pid` and `comm`: of the writer, as they are to be shown. Result: int *, the end to write to, the callee's to take
 * (steal_fd). ERROR_WRONG_STATE unless active, ERROR_QUOTA_EXCEEDED. */
void session_open_marker(Session *session, pid_t pid, const char *comm, ModelDone done, void *userdata);

/* Used by the model only. */
uint64_t session_count_markers(const Session *session);
void session_close_markers(Session *session);
