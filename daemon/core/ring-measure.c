/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/ring-measure.h"

/* No rate is made of less, usec. */
#define SPAN_MIN UINT64_C(1000000)

uint64_t ring_cpu_reach(const BufferStats *now, const BufferStats *drained, uint64_t capacity) {
        uint64_t since = drained->now;

        if (now->now == 0 || now->bytes == 0)
                return RING_UNKNOWN;
        /* It is full: what it holds is what it can. */
        if (buffer_stats_lost(now) != buffer_stats_lost(drained))
                return now->now > now->oldest ? now->now - now->oldest : 0;
        if (now->now < since || now->now - since < SPAN_MIN)
                return RING_UNKNOWN;
        return (uint64_t) ((double) (now->now - since) * (double) capacity / (double) now->bytes);
}

uint64_t ring_cpu_written(const BufferStats *now, const BufferStats *before) {
        uint64_t total = now->entries + now->overrun + now->read_events;
        uint64_t total_before = before->entries + before->overrun + before->read_events;

        /* Of events that are gone only the number is known. */
        if (total <= total_before || now->entries == 0)
                return 0;
        return (uint64_t) ((double) (total - total_before) * (double) now->bytes / (double) now->entries);
}
