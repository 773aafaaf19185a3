/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the parts of the session model share: its types, and how it answers later.
 */

#include <sys/queue.h>

#include "core/error.h"

typedef struct Manager Manager;
typedef struct Session Session;
typedef struct Capture Capture;
typedef struct Source Source;
typedef struct Vacuum Vacuum;
typedef struct LiveStream LiveStream;
typedef struct Watch Watch;
typedef struct WatchStart WatchStart;
typedef struct Measurement Measurement;

LIST_HEAD(SessionList, Session);
LIST_HEAD(CaptureList, Capture);
LIST_HEAD(SourceList, Source);
LIST_HEAD(VacuumList, Vacuum);
LIST_HEAD(LiveStreamList, LiveStream);
LIST_HEAD(WatchList, Watch);
LIST_HEAD(WatchStartList, WatchStart);
LIST_HEAD(MeasurementList, Measurement);

/* An operation that cannot finish at once calls this exactly once, on the event loop, possibly before the
 * function that began it returns. `r` is 0 or -errno with `error` filled. `result` is borrowed for the
 * call; what it is stands beside the operation. */
typedef void (*ModelDone)(int r, const Error *error, void *result, void *userdata);

/* For those who need no answer. */
static inline void model_done_ignore(int r, const Error *error, void *result, void *userdata) {
}
