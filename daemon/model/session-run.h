/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The run of a session: from the request to start until its capture is closed and its source is gone. Used
 * by the model only; what may be asked of a session stands in session.h.
 *
 *   session_run() -> [store worker: directory] -> sink -> source (found, or set up by the kernel worker)
 *     -> pump_add_sink() -> PUMP_SINK_READY: active -> session_end() or a failure
 *     -> PUMP_SINK_CLOSED -> source_leave() -> (last sharer: source torn down) -> run over
 */

#include "capture/pump.h"
#include "model/session.h"

typedef enum WaitFor {
        WAIT_START,
        WAIT_STOP,
        WAIT_ROTATE,
        WAIT_CLEAR,
        WAIT_MEASURE,
        WAIT_RELOAD,
        WAIT_REMOVE,
} WaitFor;

/* Has the operation answered later. On failure answers it at once, and returns -ENOMEM. */
int session_wait(Session *session, WaitFor what, ModelDone done, void *userdata);
/* Answers the one that has waited longest for `what`: reports about rotating and clearing come one for each. */
void session_answer_oldest(Session *session, WaitFor what, int r, const Error *error);
/* Answers those that wait for `what`. They may do anything: the session may be gone afterwards. */
void session_answer(Session *session, WaitFor what, int r, const Error *error, void *result);
/* The run is over: answers all, and frees the session when it is to be removed. */
void session_answer_all(Session *session, const Error *error);

/* Also when only counters changed: tells the observer. */
void session_set_state(Session *session, SessionState state);
/* Keeps the old one when memory runs out. */
void session_set_reason(Session *session, const char *reason);
void session_free(Session *session);

bool session_is_waited_for(const Session *session, WaitFor what);

/* session-reload.c. A run is over: true when the next one was begun. `error`: why it failed, if it did. */
bool session_reload_go_on(Session *session, const Error *error);
/* It has started. */
void session_reload_done(Session *session);
void session_reload_clear(Session *session);

/* Begins the run: state starting. The outcome is answered to WAIT_START. */
void session_run(Session *session);
/* Begins the end of the run; `reason` goes into the metadata. The end is answered to WAIT_STOP. */
void session_end(Session *session, const char *reason);

/* Of a ring, that is stopping: ends it once no snapshot is on its way to the pump. */
void session_end_ring(Session *session);

/* From the watches: all are there, or run_error says what is wrong with one. */
void session_watches_ready(Session *session);

/* From the source. */
void session_ring_ready(Session *session, int r, Error *error);
void session_ring_measured(Session *session, PumpReport *report);
void session_ring_resized(Session *session, PumpReport *report);
void session_source_running(Session *session);
void session_source_failed(Session *session, int r, const Error *error);
void session_source_gone(Session *session);
void session_handle_report(Session *session, PumpReport *report);
void session_tracing_lost(Session *session);
