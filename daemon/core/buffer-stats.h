/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BufferStats: the numbers of per_cpu/cpuN/stats (kernel/trace/trace.c, tracing_stats_read, 5.15).
 */

#include <stdint.h>

typedef struct BufferStats {
        uint64_t entries; /* in the buffer now */
        uint64_t overrun; /* overwritten before they were read */
        uint64_t commit_overrun;
        uint64_t bytes;       /* in the buffer now */
        uint64_t dropped;     /* refused because the buffer was full (overwrite off) */
        uint64_t read_events; /* consumed by readers */
        uint64_t oldest,
                now; /* usec of the trace clock: of the oldest event, and at present; 0 where it counts no time */
} BufferStats;

/* Missing lines leave 0; a line that is there with a value that is no number is -EINVAL. */
int buffer_stats_parse(const char *text, BufferStats *ret);
uint64_t buffer_stats_lost(const BufferStats *stats);
