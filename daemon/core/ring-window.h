/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RingWindow: how large the buffers of a ring must be for it to reach back as far as is wanted. Arithmetic only.
 *
 * A change of size costs: the kernel keeps what the buffers hold, but records nothing while it changes them
 * (__tracing_resize_ring_buffer(), kernel/trace/trace.c, 6.7 and stable kernels since). So it is made rarely: the
 * size grows as soon as the full buffers would not reach back far enough, to the double, or four times the size; and
 * it shrinks to the half only after some windows in which a quarter would have done.
 *
 * Life cycle: filled in by whoever knows the spec; ring_window_decide() after each measure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/ring-measure.h"

#define RING_WINDOW_MIN UINT64_C(1000000)               /* usec */
#define RING_WINDOW_MAX (UINT64_C(24) * 3600 * 1000000) /* usec */

typedef struct RingWindow {
        uint64_t window;      /* usec that are wanted */
        uint64_t least, most; /* bytes for each CPU */
        uint64_t written;     /* RingMeasure.written of the measure before */
        unsigned n_spare;     /* windows in a row in which a quarter of the size would have done */
        bool is_short;        /* `most` does not reach back as far as is wanted */
} RingWindow;

/* The size that the buffers are to have, bytes for each CPU; `size` when they may stay. `elapsed`: usec since the
 * measure before. */
uint64_t ring_window_decide(RingWindow *window, const RingMeasure *measure, uint64_t size, uint64_t elapsed);

/* When to measure next, usec: soon after the start or a change of size, then more and more rarely. `last` is what
 * this returned before; 0: a new beginning. */
uint64_t ring_window_interval(const RingWindow *window, uint64_t last);
