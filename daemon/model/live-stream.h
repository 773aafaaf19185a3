/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * LiveStream: a session's events while they are recorded, to a pipe that a client reads.
 *
 * The pump writes to a pipe of the daemon's own and never waits; what a slow reader misses is dropped there and
 * counted. From there a thread of its own (capture/stream-relay.h) passes it on, so that nothing a client does to its
 * end of the other pipe holds up a pump.
 *
 * Life cycle: session_open_stream() while the session is active. It goes when the reader closes its end, or when the
 * session's run is over and the reader has read the rest; until then it counts.
 */

#include <sys/types.h>

#include "core/quota.h"
#include "model/model.h"

#define STREAMS_SESSION_MAX 8U     /* of a session; of a user and in all, see budgets.h: the pipes are the daemon's */
#define STREAM_PIPE_SIZE (1 << 20) /* bytes; as far as the kernel allows */

typedef enum StreamFormat {
        STREAM_PAGES, /* as in ktraced/stream-frame.h */
        STREAM_TEXT,  /* the lines of ktracectl show */
} StreamFormat;

/* `uid`: whose it is to be. *ret_fd: the end to read from, the caller's. ERROR_WRONG_STATE unless active,
 * ERROR_QUOTA_EXCEEDED, ERROR_NOT_SUPPORTED with mode "ring", or when text is asked for and the program for it is not
 * installed. */
int session_open_stream(Session *session, uid_t uid, StreamFormat format, Error *error, int *ret_fd);

/* Used by the model only. */
QuotaUse live_streams_count(const Manager *manager, uid_t uid);
/* Used by the model only: the end of the manager. Readers see the end, also when something is left to read. */
void manager_free_streams(Manager *manager);
