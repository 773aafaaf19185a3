/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Session: what a client asked for and owns. Read only outside the model.
 *
 * Life cycle: manager_create_session() -> created; session_start() -> starting -> active (a capture of its
 * own for each run); session_stop() -> stopping -> stopped; session_remove() stops if need be and frees it.
 * An attached session is removed when its client is gone.
 */

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "core/event.h"
#include "core/identity.h"
#include "core/metadata.h"
#include "core/ring-measure.h"
#include "core/session-state.h"
#include "core/spec.h"
#include "model/model.h"

typedef struct Overhead Overhead;
typedef struct RingKeeper RingKeeper;
typedef struct SessionWaiter SessionWaiter;

struct Session {
        LIST_ENTRY(Session) sessions; /* of the manager */
        LIST_ENTRY(Session) sharers;  /* of the source */
        Manager *manager;
        char *id;   /* 16 hexadecimal digits; also names the kernel instance when it is the source's first */
        char *name; /* unique among the sessions of one owner */
        uid_t owner;
        Identity identity;        /* of the owner when the session was made */
        char *client;             /* who made it, as the bus layer calls it; for attached sessions */
        EventSelection selection; /* what the spec meant when it was authorized */
        char **absent_watches;    /* optional ones that the kernel did not have then, see watches_look() */
        Spec *spec;               /* merged with its profile and validated */
        unsigned powers;          /* what was authorized */
        Spec *asked;              /* before it was merged with its profile; NULL: without one */
        SessionState state;
        char *reason;                       /* why it stopped or failed; NULL when it never ran */
        uint64_t created, started, stopped; /* CLOCK_REALTIME, usec; 0: not yet */
        uint64_t events, bytes, lost;       /* of the present or last run */
        CpuLoss *losses;
        size_t n_losses;
        RingMeasure ring;        /* when it was measured last; capacity 0: not yet in this run */
        Overhead *overhead;      /* while it is active and has a budget; or NULL */
        char **thinned;          /* events that were left out in the present or last run; or NULL */
        RingKeeper *ring_keeper; /* while it is active, of a ring with a window; or NULL */
        Source *source;          /* while starting, active or stopping */
        Capture *capture;        /* of the present or last run; NULL before the first and once it is deleted */
        uint64_t sink_id;
        sd_event_source *duration_timer;
        SessionWaiter *waiters; /* operations that wait for a change of state */

        LIST_HEAD(MarkerList, Marker) markers;       /* while it is active */
        LIST_HEAD(SnapshotList, Snapshot) snapshots; /* that are under way */

        /* While a run begins or ends: */
        char *run_capture_id;          /* of the directory in the store, until the capture is listed */
        int run_dir_fd;                /* of that directory, until there is a sink; or -1 */
        CaptureMetadata *run_metadata; /* becomes the capture once the sink is ready */
        Error run_error;               /* why it failed; ERROR_NONE: it did not */
        bool end_wanted;               /* stopped while it was starting */
        char *end_reason;              /* why; NULL also when memory ran out */
        bool removing;
        uint64_t watches_fired; /* in all, of the present or last run */
        size_t watches_pending; /* that have not said yet whether they can be */

        /* While it is reloaded: what it is to be, until it has stopped; then what it was, until it has started. */
        struct ResolvedSpec *next, *before;
        Error reload_error; /* it goes on as it was */
};

/* Result: the Session. ERROR_WRONG_STATE unless created, stopped or failed. */
void session_start(Session *session, ModelDone done, void *userdata);

/* Done when the capture is closed and the kernel instance is gone. On a session that does not run: done at
 * once, successfully. Result: none, as for the following ones. */
void session_stop(Session *session, const char *reason, ModelDone done, void *userdata);

/* The session is freed by then. */
void session_remove(Session *session, const char *reason, ModelDone done, void *userdata);

/* ERROR_WRONG_STATE unless active, and with `output`. */
void session_rotate(Session *session, ModelDone done, void *userdata);

/* Throws away what was recorded so far. ERROR_WRONG_STATE unless active. */
void session_clear(Session *session, ModelDone done, void *userdata);

/* Adds a process (its threads; its children if the spec says so) to a session that traces only certain
 * processes. `pidfd` is borrowed. ERROR_WRONG_STATE, ERROR_BAD_DESCRIPTOR, ERROR_NO_SUCH_PROCESS. */
void session_add_process(Session *session, int pidfd, ModelDone done, void *userdata);

/* Has it record by another spec, which is taken over, also on failure: one that is active ends and begins anew,
 * without being stopped in between; where that cannot start, it goes on by the one that it had, and the failure is
 * answered. `taken` is a ResolvedSpec. Result: none. ERROR_WRONG_STATE for a session that is starting or stopping. */
void session_reload(Session *session, struct ResolvedSpec *taken, ModelDone done, void *userdata);

/* Brings what session_describe() says of a ring up to date, but for the time in which a snapshot of it is taken,
 * which may wait for the disk. Result: none; also for a session that is no ring, or not active. */
void session_measure(Session *session, ModelDone done, void *userdata);

/* JSON text: everything, also what only some may know; the caller frees. */
int session_describe(const Session *session, char **ret);
