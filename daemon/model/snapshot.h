/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Snapshot: a capture made from the ring of a session with mode "ring", which goes on recording.
 */

#include <stdint.h>

#include "model/model.h"

#define SNAPSHOT_REASON_LENGTH 256U /* bytes */
#define SNAPSHOT_JOURNAL_LINES 32U
#define SNAPSHOT_JOURNAL_LENGTH 512U   /* bytes of a line */
#define SNAPSHOT_AFTER_MAX 3600000000U /* usec */
#define SNAPSHOTS_PENDING_MAX 8U

typedef struct SnapshotOptions {
        const char *reason;   /* printable, at most SNAPSHOT_REASON_LENGTH; NULL: none. Copied. */
        char *const *journal; /* strv of at most SNAPSHOT_JOURNAL_LINES, each printable, for the metadata; NULL: none.
                               * Copied. */
        uint64_t after;       /* usec to wait before the ring is drained, at most SNAPSHOT_AFTER_MAX */
} SnapshotOptions;

/* Result: the Capture, complete. ERROR_WRONG_STATE unless the session is active and a ring; ERROR_BUSY with
 * SNAPSHOTS_PENDING_MAX of them under way. A session that is stopped takes those that wait for their time at once. */
void session_snapshot(Session *session, const SnapshotOptions *options, ModelDone done, void *userdata);

/* Of every ring that is active, without an answer: failures are notices. `reason` as above. */
void manager_snapshot_all(Manager *manager, const char *reason);
