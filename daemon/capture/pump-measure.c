/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a ring holds, and since when: what a snapshot would have. */

#include <errno.h>
#include <string.h>

#include "capture/pump-private.h"
#include "capture/segment-format.h"

#define NSEC_PER_USEC 1000U

typedef struct CpuWindow {
        uint64_t begin; /* usec of the trace clock: since when nothing is missing; 0: it counts no time */
        uint64_t bytes;
} CpuWindow;

/* Each page begins with the time of its first event (struct buffer_data_page, kernel/trace/ring_buffer.c, 5.15). */
static int read_page_time(const Pump *pump, uint64_t offset, uint64_t *ret) {
        uint64_t time;
        int r = read_at(pump->previous->fd, &time, sizeof(time), offset);

        if (r < 0)
                return r;
        *ret = time / NSEC_PER_USEC;
        return 0;
}

static int get_window(const Pump *pump, size_t cpu_index, CpuWindow *ret) {
        const BufferStats *now = &pump->stats[cpu_index], *drained = &pump->previous_stats[cpu_index];
        CpuWindow window = { .begin = pump->begins[cpu_index], .bytes = now->bytes };
        uint64_t n_pages, offset, size;
        int r = 0;

        if (buffer_stats_lost(now) != buffer_stats_lost(drained))
                window.begin = now->oldest;
        else if (pump->previous) {
                n_pages = pump_pages_to_carry(pump, cpu_index);
                segment_pages(pump->previous->segment, cpu_index, &offset, &size);
                window.bytes += n_pages * pump->page_size;
                if (n_pages == 0 && size > 0)
                        window.begin = drained->now;
                else if (n_pages * pump->page_size < size)
                        r = read_page_time(pump, offset + size - n_pages * pump->page_size, &window.begin);
        }
        if (r < 0)
                return r;
        if (window.begin > now->now)
                window.begin = now->now;
        *ret = window;
        return 0;
}

void pump_keep_window(Pump *pump) {
        CpuWindow window;

        for (size_t i = 0; i < pump->n_cpus; i++)
                if (get_window(pump, i, &window) >= 0)
                        pump->begins[i] = window.begin;
}

void pump_lose_window(Pump *pump) {
        for (size_t i = 0; i < pump->n_cpus; i++)
                pump->begins[i] = pump->previous_stats[i].now;
}

static int measure(Pump *pump, RingMeasure *ret) {
        uint64_t buffer = instance_buffer_size(pump->instance);
        RingMeasure measure = { .capacity = buffer * pump->n_cpus, .reach = RING_UNKNOWN };
        int r = pump_read_stats(pump);

        for (size_t i = 0; r >= 0 && i < pump->n_cpus; i++) {
                const BufferStats *now = &pump->stats[i];
                uint64_t written = ring_cpu_written(now, &pump->measured_stats[i]);
                uint64_t reach = ring_cpu_reach(now, &pump->previous_stats[i], buffer), held;
                CpuWindow window;

                r = get_window(pump, i, &window);
                if (r < 0)
                        break;
                held = now->now == 0 ? RING_UNKNOWN : now->now - window.begin;
                measure.fill += window.bytes;
                if (i == 0 || held < measure.held)
                        measure.held = held;
                if (reach < measure.reach)
                        measure.reach = reach;
                if (written > measure.written)
                        measure.written = written;
        }
        if (r < 0)
                return r;
        /* The page that is being read and the one that is being written are there beside the buffer's. */
        if (measure.fill > measure.capacity)
                measure.fill = measure.capacity;
        memcpy(pump->measured_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
        *ret = measure;
        return 0;
}

void pump_take_measure(Pump *pump, PumpReport *report) {
        int r = pump->ring && pump->tracing ? measure(pump, &report->measure) : -EINVAL;

        report->r = r < 0 ? error_set_errno(&report->error, r, "Failed to measure the ring") : 0;
        pump_post(pump, report);
}
