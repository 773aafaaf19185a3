/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Capture: the segments of one run of a session, as the manager's list has it. Read only outside the
 * model. It appears when the run starts (or, found in the store, with the manager) and goes when it is
 * deleted; one in the client's own file goes with its session.
 */

#include <sys/queue.h>

#include "core/metadata.h"
#include "model/model.h"

typedef struct FinishJob FinishJob;

struct Capture {
        LIST_ENTRY(Capture) captures;
        Manager *manager;
        CaptureMetadata *metadata;   /* brought up to date as reports arrive */
        LIST_HEAD(, FinishJob) jobs; /* see capture-finish.h */
        uint64_t dropped_bytes;      /* of the segments that went before the run was over, as recorded */
        bool deleting;               /* retention has asked for it */
};

/* JSON text of the metadata; the caller frees. */
int capture_describe(const Capture *capture, char **ret);

/* Result: int *, a read-only descriptor, the callee's to take (steal_fd). Number 0 is the newest segment.
 * ERROR_NO_SUCH_SEGMENT. */
void capture_open(Capture *capture, uint64_t segment, ModelDone done, void *userdata);

/* One that is pinned goes only with capture_delete(). ERROR_WRONG_STATE for one in a file of its client's. Result:
 * none. */
void capture_set_pinned(Capture *capture, bool pinned, ModelDone done, void *userdata);

/* ERROR_BUSY while it is being written. Result: none. */
void capture_delete(Capture *capture, ModelDone done, void *userdata);
