/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/ring-window.h"

/* The first measure comes so long after the beginning, usec. */
#define INTERVAL_FIRST UINT64_C(1000000)
/* Once the size suits, nobody is woken more often, usec. */
#define INTERVAL_STEADY UINT64_C(60000000)

#define GROW_MAX 4U
#define GROW_ROOM 1.25 /* that much more than is wanted, so that the rate may rise a little */
#define SPARE_SHARE 4U
#define SPARE_WINDOWS 3U

static uint64_t grow(const RingWindow *window, uint64_t size, uint64_t reach) {
        uint64_t most = window->most / GROW_MAX < size ? window->most : size * GROW_MAX;
        double wanted = (double) window->window * GROW_ROOM, reached = (double) reach;
        uint64_t grown = size;

        while (reached < wanted && grown < most) {
                grown *= 2;
                reached *= 2;
        }
        return grown < most ? grown : most;
}

uint64_t ring_window_decide(RingWindow *window, const RingMeasure *measure, uint64_t size, uint64_t elapsed) {
        uint64_t written = measure->written - window->written;
        bool is_short = measure->reach != RING_UNKNOWN && measure->reach < window->window;

        window->written = measure->written;
        window->is_short = is_short && size >= window->most;
        if (is_short) {
                window->n_spare = 0;
                return size < window->most ? grow(window, size, measure->reach) : size;
        }
        /* What a shorter time would have needed says little about a window. */
        if (elapsed < window->window)
                return size;
        window->n_spare = written <= size / SPARE_SHARE ? window->n_spare + 1 : 0;
        if (window->n_spare < SPARE_WINDOWS || size / 2 < window->least)
                return size;
        window->n_spare = 0;
        return size / 2;
}

uint64_t ring_window_interval(const RingWindow *window, uint64_t last) {
        uint64_t steady = window->window > INTERVAL_STEADY ? window->window : INTERVAL_STEADY;

        if (last == 0)
                return INTERVAL_FIRST;
        return last < steady / 2 ? last * 2 : steady;
}
