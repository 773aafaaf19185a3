/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Overhead: holds a session to its budget of events a second and of the CPUs' time, as its policy says.
 *
 * Of a session that streams it learns from the pump, which counts once a second anyway. A ring has nobody who would
 * wake up for it: there the counters are read when the daemon wakes up for something else, its watchdog at the
 * latest, and each second only while there is much.
 *
 * When the budget is exceeded for longer than the grace time, a short measurement (measure.h) finds out what the most
 * frequent event is; then the observer is told, the event is switched off, or the session ends.
 *
 * Life cycle: overhead_new() when the session is active; overhead_free() when it stops being active. What was begun
 * by then comes to nothing.
 */

#include <json-c/json.h>
#include <stdint.h>

#include "core/overhead-guard.h"
#include "model/session.h"

typedef struct Overhead Overhead;

/* 0 and *ret NULL when the spec sets no limit. */
int overhead_new(Session *session, Overhead **ret);
void overhead_free(Overhead *overhead);
DEFINE_POINTER_CLEANUP(Overhead, overhead_free);

/* `total`: events that the session has recorded or lost. NULL `overhead` is fine. */
void overhead_look(Overhead *overhead, uint64_t total);

/* Before somebody is told how it is: of a session of which nothing was heard for some seconds, since nothing has
 * happened. The same total as the last. */
void overhead_refresh(Overhead *overhead, uint64_t total);

/* max_event_rate, max_cpu_share (permille), grace (usec), policy, rate, cpu_share (millionths), event_cost (nsec),
 * exceeded (boolean), times, hot_event and hot_rate (of the last time). -ENOMEM. */
int overhead_describe(const Overhead *overhead, struct json_object **ret);
