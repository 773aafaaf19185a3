/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/ring-measure.h"

#include <stdbool.h>

/* No rate is made of less, usec. */
#define SPAN_MIN UINT64_C(1000000)

static bool lost_since(const BufferStats *now, const BufferStats *then) {
        return buffer_stats_lost(now) != buffer_stats_lost(then);
}

uint64_t ring_cpu_reach(const BufferStats *now, const BufferStats *drained, const BufferStats *sized,
                        uint64_t capacity) {
        uint64_t begin = lost_since(now, drained) ? now->oldest : drained->now;
        uint64_t span = now->now > begin ? now->now - begin : 0;

        if (now->now == 0 || now->bytes == 0)
                return RING_UNKNOWN;
        /* It is full: what it holds is what it can. */
        if (lost_since(now, drained) && lost_since(now, sized))
                return span;
        if (span < SPAN_MIN)
                return RING_UNKNOWN;
        return (uint64_t) ((double) span * (double) capacity / (double) now->bytes);
}

uint64_t ring_cpu_written(const BufferStats *now, const BufferStats *before) {
        uint64_t total = now->entries + now->overrun + now->read_events;
        uint64_t total_before = before->entries + before->overrun + before->read_events;

        /* Of events that are gone only the number is known. */
        if (total <= total_before || now->entries == 0)
                return 0;
        return (uint64_t) ((double) (total - total_before) * (double) now->bytes / (double) now->entries);
}
