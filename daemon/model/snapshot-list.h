/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The snapshots of a session that are under way. Used by the model only; session_snapshot() stands in snapshot.h.
 *
 *   session_snapshot() -> [timer] -> [store worker: directory] -> pump_snapshot() -> PUMP_SINK_READY: the capture is
 *     listed -> PUMP_SINK_CLOSED: complete, answered, freed
 */

#include <stdbool.h>

#include "capture/pump.h"
#include "model/snapshot.h"

typedef struct Snapshot Snapshot;

/* NULL when no snapshot of the session has that sink. */
Snapshot *snapshot_find(Session *session, uint64_t sink_id);
/* Frees it with the last report. */
void snapshot_handle_report(Snapshot *snapshot, PumpReport *report);

/* Frees all without an answer: at the end of the daemon. */
void snapshots_drop(Session *session);

/* Takes those that wait for their time now. */
void snapshots_hurry(Session *session);
/* Some have not got as far as the pump: it must not be told to stop yet. */
/* The pump has some. */
bool snapshots_are_taken(const Session *session);
bool snapshots_are_pending(const Session *session);
