/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Measurement: records for a moment, in an instance of its own, what a spec selects, to say how much that is. Nothing
 * of it is kept but the numbers.
 *
 * Life cycle: manager_measure() makes it; the kernel worker sets the instance up, and before the first one measures
 * what an event costs; a worker of its own counts; the kernel worker removes the instance; then it is answered and
 * freed. It ends early when its client leaves the bus, or the daemon ends.
 */

#include <stdint.h>
#include <sys/types.h>

#include "core/event-rates.h"
#include "core/session-estimate.h"
#include "model/manager.h"

#define MEASURE_DURATION_MIN UINT64_C(100000) /* usec */
#define MEASURE_DURATION_MAX UINT64_C(10000000)
#define MEASURE_DURATION_DEFAULT UINT64_C(1000000)
/* Each is enabled in the kernel and disabled again. */
#define MEASURE_EVENTS_MAX 4096U

/* Takes `taken` over, also on failure; of its spec the buffer's size does not count. `client` may be NULL. Result:
 * EventRates *, borrowed. ERROR_QUOTA_EXCEEDED, ERROR_INVALID_ARGUMENT, ERROR_CANCELLED. */
void manager_measure(Manager *manager, ResolvedSpec *taken, const char *client, uint64_t duration, ModelDone done,
                     void *userdata);

/* The same of all that a session by the spec would record, its probes, tracer and processes among it; nothing is
 * started. Result: SessionEstimate *. Also the errors of a session's start. */
void manager_estimate(Manager *manager, ResolvedSpec *taken, const char *client, uint64_t duration, ModelDone done,
                      void *userdata);

/* The same of what a session records, without those that were left out of it, and of its processes only; beside what
 * budgets allow, one at a time. `done` is not called when this fails: -EBUSY, -ENOMEM. When the daemon ends before it
 * is called, `drop` is in its place. */
int manager_sample(const Session *session, uint64_t duration, ModelDone done, void (*drop)(void *userdata),
                   void *userdata);

/* Has manager->event_cost measured, if it was not. */
void manager_want_event_cost(Manager *manager);

/* For the manager: those of a client (NULL: all) end. */
void measurements_cancel(Manager *manager, const char *client);
/* Frees the workers, and what is under way. */
void measurements_free(Manager *manager);

/* For budgets.h: how many of a user, or in all; and the memory of their buffers. */
QuotaUse measurements_count(const Manager *manager, uid_t uid);
QuotaUse measurements_memory(const Manager *manager, uid_t uid);
