/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a ring holds, and since when: what a snapshot would have. */

#include <errno.h>
#include <string.h>

#include "capture/pump-private.h"
#include "capture/segment-format.h"
#include "ktraced/clock.h"

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

/* Adds one CPU's buffer to it. */
static int measure_cpu(Pump *pump, size_t cpu_index, RingMeasure *measure) {
        const BufferStats *now = &pump->stats[cpu_index];
        uint64_t buffer = instance_buffer_size(pump->instance), reach, held;
        CpuWindow window;
        int r = get_window(pump, cpu_index, &window);

        if (r < 0)
                return r;
        held = now->now == 0 ? RING_UNKNOWN : now->now - window.begin;
        reach = ring_cpu_reach(now, &pump->previous_stats[cpu_index], &pump->sized_stats[cpu_index], buffer);
        measure->fill += window.bytes;
        if (held < measure->held)
                measure->held = held;
        if (reach < measure->reach)
                measure->reach = reach;
        return 0;
}

static int measure(Pump *pump, RingMeasure *ret) {
        RingMeasure measure = {
                .capacity = instance_buffer_size(pump->instance) * pump->n_cpus,
                .held = RING_UNKNOWN,
                .reach = RING_UNKNOWN,
        };
        uint64_t most = 0;
        int r = pump_read_stats(pump);

        for (size_t i = 0; r >= 0 && i < pump->n_cpus; i++) {
                uint64_t written = ring_cpu_written(&pump->stats[i], &pump->measured_stats[i]);

                if (written > most)
                        most = written;
                r = measure_cpu(pump, i, &measure);
        }
        if (r < 0)
                return r;
        /* The page that is being read and the one that is being written are there beside the buffer's. */
        if (measure.fill > measure.capacity)
                measure.fill = measure.capacity;
        measure.written = pump->written += most;
        memcpy(pump->measured_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
        *ret = measure;
        return 0;
}

static int check_ring(const Pump *pump, Error *error) {
        return pump->ring && pump->tracing ? 0
                                           : error_set(error, ERROR_WRONG_STATE, "%s is no ring that records",
                                                       instance_name(pump->instance));
}

void pump_take_measure(Pump *pump, PumpReport *report) {
        int r = check_ring(pump, &report->error);

        if (r >= 0) {
                r = measure(pump, &report->measure);
                if (r < 0)
                        (void) error_set_errno(&report->error, r, "Failed to measure the ring");
        }
        report->r = r < 0 ? r : 0;
        pump_post(pump, report);
}

/* The time of the trace clock, by the statistics that were read last: the earliest or the latest of the CPUs. */
static uint64_t trace_clock(const Pump *pump, bool latest) {
        uint64_t time = pump->stats[0].now;

        for (size_t i = 1; i < pump->n_cpus; i++)
                if (latest ? pump->stats[i].now > time : pump->stats[i].now < time)
                        time = pump->stats[i].now;
        return time * NSEC_PER_USEC;
}

static void keep_gap(Pump *pump, const RecordingGap *gap) {
        if (pump->n_gaps == PUMP_GAPS_MAX) {
                pump->n_gaps--;
                memmove(pump->gaps, pump->gaps + 1, pump->n_gaps * sizeof(pump->gaps[0]));
        }
        pump->gaps[pump->n_gaps++] = *gap;
}

int pump_note_gaps(Pump *pump, PumpSink *sink) {
        uint64_t first = 0, last = 0;
        int r = 0;

        if (pump->n_gaps == 0)
                return 0;
        r = segment_time_span(sink_segment(sink->sink), &first, &last);
        for (size_t i = 0; r >= 0 && i < pump->n_gaps; i++)
                if (pump->gaps[i].end_trace_clock == 0 || pump->gaps[i].end_trace_clock > first)
                        r = sink_add_gap(sink->sink, &pump->gaps[i]);
        return r;
}

/* The kernel records nothing while a buffer gets another size, and nobody counts the events of that time. */
static int resize(Pump *pump, uint64_t size, PumpReport *report) {
        RecordingGap gap = { 0 };
        uint64_t begin;
        int stats, r;

        stats = pump_read_stats(pump);
        gap.start_trace_clock = stats < 0 ? 0 : trace_clock(pump, false);
        gap.start_realtime = clock_usec(CLOCK_REALTIME);
        begin = clock_usec(CLOCK_MONOTONIC);
        r = instance_resize(pump->instance, size, &report->error);
        gap.gap_usec = clock_usec(CLOCK_MONOTONIC) - begin;
        stats = pump_read_stats(pump);
        gap.end_trace_clock = stats < 0 || gap.start_trace_clock == 0 ? 0 : trace_clock(pump, true);
        keep_gap(pump, &gap);
        report->gap = gap;
        return r < 0 ? r : stats;
}

void pump_resize_ring(Pump *pump, uint64_t size, PumpReport *report) {
        int r = check_ring(pump, &report->error);

        if (r >= 0)
                r = resize(pump, size, report);
        if (r >= 0) {
                memcpy(pump->sized_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
                r = measure(pump, &report->measure);
        }
        if (r < 0)
                (void) error_set_errno(&report->error, r, "Failed to measure the ring");
        report->r = r < 0 ? r : 0;
        pump_post(pump, report);
}
