/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RingKeeper: keeps the buffers of a ring as large as the window that its spec asks for needs, within the memory that
 * it may have. Measures, more and more rarely, and changes the size when core/ring-window.h says so; not while a
 * snapshot is taken or waits for its time, nor shortly after one.
 *
 * Life cycle: ring_keeper_new() when the session is active; reports of the pump come to ring_keeper_measured() and
 * ring_keeper_resized(); ring_keeper_free() when it stops being active. One change of size may be under way by then;
 * it is finished by the pump, and its report comes to nobody.
 */

#include "capture/pump.h"
#include "core/ring-window.h"
#include "model/session.h"

/* Of the measures that it asks the pump for. */
#define RING_KEEPER_TAG 1U

#define RING_KEEPER_GAPS_MAX 16U

struct RingKeeper {
        Session *session;
        RingWindow window;
        sd_event_source *timer;
        uint64_t interval;    /* usec; 0: a new beginning */
        uint64_t measured;    /* CLOCK_MONOTONIC, usec: when it was measured last */
        uint64_t quiet_until; /* likewise: after a snapshot */
        unsigned n_resized;
        RecordingGap gaps[RING_KEEPER_GAPS_MAX]; /* what the last changes of size left, ascending */
        size_t n_gaps;
        bool told; /* that the window is too long */
};

/* 0 and *ret NULL when the spec asks for no window. */
int ring_keeper_new(Session *session, RingKeeper **ret);
void ring_keeper_free(RingKeeper *keeper);
DEFINE_POINTER_CLEANUP(RingKeeper, ring_keeper_free);

void ring_keeper_measured(RingKeeper *keeper, const PumpReport *report);
void ring_keeper_resized(RingKeeper *keeper, const PumpReport *report);
void ring_keeper_snapshot_taken(RingKeeper *keeper);
