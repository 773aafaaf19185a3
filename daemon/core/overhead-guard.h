/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * OverheadGuard: whether a session records more than it may, and for how long it has. Plain data: whoever has the
 * counters asks it from time to time.
 *
 * Life cycle: filled in by the caller; overhead_guard_look() with each reading of the counters.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/event-rates.h"

typedef enum OverheadPolicy {
        OVERHEAD_WARN, /* only say so */
        OVERHEAD_THIN, /* leave the most frequent events out, one after the other */
        OVERHEAD_STOP, /* end the session */
} OverheadPolicy;

typedef enum OverheadState {
        OVERHEAD_WITHIN,
        OVERHEAD_OVER,     /* not for long enough */
        OVERHEAD_EXCEEDED, /* for longer than the grace time */
} OverheadState;

typedef struct OverheadGuard {
        uint64_t max_rate;  /* events a second; 0: any */
        uint64_t max_share; /* of all CPUs, in OVERHEAD_WHOLE; 0: any */
        uint64_t grace;     /* usec */
        uint64_t cost;      /* nsec, as EventRates has it; 0: not known, and the share is not looked at */
        unsigned n_cpus;
        uint64_t rate, share; /* between the last two looks */
        OverheadState state;

        bool begun;
        uint64_t total, time; /* at the last look, or the restart */
        uint64_t over_since;
} OverheadGuard;

/* `total`: events since any fixed moment, lost ones included; when it is less than before, it began anew. `now`: usec
 * of a clock that never goes back. A look shortly after the last one changes nothing. */
OverheadState overhead_guard_look(OverheadGuard *guard, uint64_t total, uint64_t now);

/* The cost became known: the share follows from the rate. What was judged stays until the next look. */
void overhead_guard_set_cost(OverheadGuard *guard, uint64_t cost);

/* Something was done about it: what was recorded before a second from now does not count, and the grace time begins
 * again. */
void overhead_guard_restart(OverheadGuard *guard, uint64_t now);

/* True when the rate is so high that the next look should be in a second; else it can wait. */
bool overhead_guard_is_near(const OverheadGuard *guard);

/* True when the cost must be known to tell, whatever machine this is; with fewer events it cannot matter. */
bool overhead_guard_wants_cost(const OverheadGuard *guard);

bool overhead_policy_is_valid(const char *name);
/* OVERHEAD_WARN for a name that is not valid. */
OverheadPolicy overhead_policy_from_string(const char *name);
const char *overhead_policy_to_string(OverheadPolicy policy);
