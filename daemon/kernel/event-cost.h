/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EventCost: what it costs whoever causes an event that the event is recorded.
 *
 * Measured on this machine, in an instance of its own: a thread makes a cheap system call some thousand times,
 * without and with the events of entering and leaving it recorded; the difference of its CPU time, by the number of
 * events, in the fastest of several rounds. On a kernel without events for system calls it is a line in trace_marker,
 * whose cost has that of the system call in it, and is several times as high.
 *
 * The figure is of a small event in a warm cache. Events with long texts, stacks or triggers cost more, those that a
 * filter drops less, and what reads and writes the pages afterwards is not in it: an estimate by which sessions can
 * be compared, and not an account.
 */

#include <stdint.h>

#include "core/error.h"

/* `name`: of the instance, without prefix, see instance_create(). *ret: nsec of CPU time for each event, at least 1.
 * Takes some 100 ms, most of it for making and removing the instance. */
int event_cost_measure(const char *name, Error *error, uint64_t *ret);
