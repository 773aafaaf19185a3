/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RingMeasure: how full a ring is, how far back it reaches, and how far it could. The arithmetic is here; the pump
 * reads the numbers.
 */

#include <stdint.h>

#include "core/buffer-stats.h"

#define RING_UNKNOWN UINT64_MAX

typedef struct RingMeasure {
        uint64_t capacity; /* bytes on all CPUs that the kernel gave */
        uint64_t fill;     /* bytes that a snapshot would have now */
        uint64_t held;     /* usec that it would reach back on each CPU; RING_UNKNOWN: the clock counts no time */
        uint64_t reach; /* usec that the full ring would, at the rate since it was drained; RING_UNKNOWN: no rate yet
                         */
        uint64_t written; /* bytes since the start: of each time between two measures, on the CPU that wrote most */
} RingMeasure;

/* How far back a buffer of `capacity` bytes reaches once it is full, usec; RING_UNKNOWN while too little is known.
 * `drained`, `sized`: the numbers from when it was empty last, and from when it got its size. */
uint64_t ring_cpu_reach(const BufferStats *now, const BufferStats *drained, const BufferStats *sized,
                        uint64_t capacity);

/* Bytes that were recorded between two readings of the same buffer. */
uint64_t ring_cpu_written(const BufferStats *now, const BufferStats *before);
