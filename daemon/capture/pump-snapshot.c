/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Ring mode: the kernel keeps what it records until a snapshot drains it, while it goes on recording. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "capture/page-events.h"
#include "capture/pump-private.h"
#include "capture/segment-format.h"

static int allocate(Pump *pump) {
        pump->previous_stats = calloc(pump->n_cpus, sizeof(pump->previous_stats[0]));
        pump->measured_stats = calloc(pump->n_cpus, sizeof(pump->measured_stats[0]));
        pump->begins = calloc(pump->n_cpus, sizeof(pump->begins[0]));
        pump->sized_stats = calloc(pump->n_cpus, sizeof(pump->sized_stats[0]));
        return pump->previous_stats && pump->measured_stats && pump->sized_stats && pump->begins ? 0 : -ENOMEM;
}

/* Everything from here on will be held. */
static int begin_window(Pump *pump, Error *error) {
        int r = pump_read_stats(pump);

        if (r < 0)
                return r;
        r = pump_begin_tracing(pump, error);
        if (r < 0)
                return r;
        memcpy(pump->previous_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
        memcpy(pump->measured_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
        memcpy(pump->sized_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
        pump_lose_window(pump);
        return 0;
}

void pump_begin_ring(Pump *pump) {
        PumpReport *report = pump_report_new(PUMP_RING_READY, 0);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = pump->setup;

        if (r < 0)
                error_move(&error, &pump->setup_error);
        else
                r = allocate(pump);
        /* Now, so that a snapshot need not wait for them. */
        if (r >= 0)
                r = pump_collect_formats(pump, &error);
        if (r >= 0)
                r = begin_window(pump, &error);
        if (!report)
                return;
        report->r = r < 0 ? error_set_errno(&error, r, "Failed to begin recording") : 0;
        error_move(&report->error, &error);
        pump_post(pump, report);
}

/* How many pages of the last snapshot the buffer would still hold, had that not drained it. When anything was
 * overwritten since, the buffer alone holds as much as it can, and there would be a gap before it. The number of
 * bytes in the buffer is of events only; pages that are not full make it more pages than that, so that what is
 * taken over is rather too much than too little. */
uint64_t pump_pages_to_carry(const Pump *pump, size_t cpu_index) {
        const BufferStats *now = &pump->stats[cpu_index], *then = &pump->previous_stats[cpu_index];
        uint64_t capacity = instance_buffer_size(pump->instance) / pump->page_size;
        uint64_t filled = now->bytes / pump->page_size, offset, size;

        if (buffer_stats_lost(now) != buffer_stats_lost(then) || filled >= capacity)
                return 0;
        segment_pages(pump->previous->segment, cpu_index, &offset, &size);
        return size / pump->page_size < capacity - filled ? size / pump->page_size : capacity - filled;
}

static int carry_cpu(Pump *pump, PumpSink *sink, size_t cpu_index) {
        uint64_t n_pages = pump_pages_to_carry(pump, cpu_index), offset, size, n_events;

        segment_pages(pump->previous->segment, cpu_index, &offset, &size);
        offset += size - n_pages * pump->page_size;
        for (; n_pages > 0; n_pages--, offset += pump->page_size) {
                int r;

                r = read_at(pump->previous->fd, pump->page, pump->page_size, offset);
                if (r >= 0)
                        r = page_events_count(pump->page, pump->page_size, &n_events);
                if (r >= 0)
                        r = segment_write(sink_segment(sink->sink), cpu_index, pump->page, pump->page_size);
                if (r < 0)
                        return r;
                sink->carried += n_events;
        }
        return 0;
}

static int carry_over(Pump *pump, PumpSink *sink) {
        int r = 0;

        for (size_t i = 0; pump->previous && r >= 0 && i < pump->n_cpus; i++)
                r = carry_cpu(pump, sink, i);
        return r;
}

/* The page that the reader was on last is not part of the ring any more (rb_get_reader_page(),
 * kernel/trace/ring_buffer.c): what came onto it after the last snapshot stays there when all that followed was
 * overwritten. Such a piece, with a gap behind it, is no part of the window. */
static void drop_leftovers(Pump *pump) {
        for (size_t i = 0; pump->drained && i < pump->n_cpus; i++)
                if (buffer_stats_lost(&pump->stats[i]) != buffer_stats_lost(&pump->previous_stats[i]))
                        (void) !read(pump->raw_fds[i], pump->page, pump->page_size);
}

/* As much as the CPU with most can get: what is taken over, and what pump_flush() reads at most. */
static uint64_t region_size(const Pump *pump) {
        uint64_t most = 0;

        for (size_t i = 0; pump->previous && i < pump->n_cpus; i++) {
                uint64_t n_pages = pump_pages_to_carry(pump, i);

                if (n_pages > most)
                        most = n_pages;
        }
        return most * pump->page_size + pump_flush_max(pump);
}

static int begin(Pump *pump, PumpSink *sink, Error *error) {
        SegmentHead head;
        int r;

        if (!pump->tracing || pump->stopping)
                return error_set(error, ERROR_WRONG_STATE, "The recording is being stopped");
        if (!pump->pauses && !instance_is_tracing(pump->instance))
                return error_set(error, ERROR_FAILED, "Another tool switched tracing off in %s",
                                 instance_name(pump->instance));
        sink->base = calloc(pump->n_cpus, sizeof(sink->base[0]));
        sink->lost = calloc(pump->n_cpus, sizeof(sink->lost[0]));
        if (!sink->base || !sink->lost)
                return error_set_errno(error, -ENOMEM, "Failed to begin the capture");

        r = sink_prepare(sink->sink, error);
        if (r < 0)
                return r;
        r = pump_read_stats(pump);
        if (r < 0)
                return error_set_errno(error, r, "Failed to read the buffers' statistics");
        head = pump_make_head(pump);
        head.region_size = region_size(pump);
        r = sink_begin(sink->sink, &head, error);
        if (r < 0)
                return r;
        /* What can be taken over gets less as time goes by, never more. */
        r = pump_read_stats(pump);
        if (r >= 0) {
                r = carry_over(pump, sink);
                if (r < 0)
                        return error_set_errno(error, r, "Failed to take over the pages of the snapshot before");
                drop_leftovers(pump);
                r = pump_read_stats(pump);
        }
        if (r < 0)
                return error_set_errno(error, r, "Failed to read the buffers' statistics");
        pump_set_base(pump, sink);
        return 0;
}

void pump_take_snapshot(Pump *pump, PumpCommand *command) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        PumpSink *sink;
        int r;

        /* The pages of the one before have their place only once it is closed. */
        pump_wait_for_closer(pump, 0);
        sink = pump_sink_new(pump, command);
        if (!sink)
                return;

        r = begin(pump, sink, &error);
        if (r < 0) {
                pump_fail_sink(pump, sink, r, &error);
                return;
        }

        pump_keep_window(pump);
        sink->active = true;
        pump->n_active++;
        pump_flush(pump);
        pump->drained = true;
        if (sink->active) {
                r = pump_note_gaps(pump, sink);
                if (r < 0) {
                        (void) error_set_errno(&error, r, "Failed to tell of gaps");
                        pump_fail_sink(pump, sink, r, &error);
                }
        }
        pump_post(pump, pump_report_new(PUMP_SINK_READY, sink->id));
        /* What was drained is in no buffer any more: without it, the next snapshot cannot begin before this. */
        closing_segment_free(STEAL_PTR(pump->previous));
        pump_end_sink(pump, sink, command->reason);
        if (sink->r < 0)
                (void) pump_read_stats(pump);
        memcpy(pump->previous_stats, pump->stats, pump->n_cpus * sizeof(pump->stats[0]));
        if (sink->r < 0)
                pump_lose_window(pump);
}
