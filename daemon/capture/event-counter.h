/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EventCounter: counts what an instance records, by event, for a moment.
 *
 * The kernel counts no events by itself, but for histograms, which some kernels lack. So the pages are read, again
 * and again, and what is on them is counted and thrown away. What a buffer loses meanwhile, since events come faster
 * than they are counted, the kernel counts without saying what it was: it is divided among the events in the ratio of
 * those that were seen on that CPU since the last look, and told apart.
 */

#include <stdint.h>

#include "core/error.h"
#include "core/event-rates.h"
#include "kernel/instance.h"

/* Of the buffers of an instance that is counted, bytes for each CPU: as much as some 10 ms of what a CPU can record,
 * and less where many CPUs would make much of that. */
uint64_t event_counter_buffer_size(size_t n_cpus);

/* Switches tracing on for `duration` usec, then off, and fills in `rates`: the numbers of the rows by their ids, and
 * duration, events, missed, bytes. Ends early with -ECANCELED when `cancel_fd` becomes readable. Blocks for all that
 * time, and leaves nothing open. */
int event_counter_run(Instance *instance, uint64_t duration, int cancel_fd, Error *error, EventRates *rates);
