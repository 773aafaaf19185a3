/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "capture/pump-private.h"

/*
 * Kernel facts (kernel/trace/trace.c, tracing_buffers_splice_read and tracing_buffers_read;
 * kernel/trace/ring_buffer.c, ring_buffer_read_page; 6.1):
 *
 * - splice(2) from trace_pipe_raw gives whole pages that the writer has left; what was taken out of the
 *   buffer and finds no room in the pipe is lost: never ask for more than the (empty) pipe holds.
 * - read(2) of a page's size gives what the reader's page holds now, also while the writer is on it, and
 *   that page's remainder is given later as a page of its own, with splice(2), too, since 6.1.
 * - Both fail with EAGAIN when there is nothing.
 */

static void empty_pipe(Pump *pump, int fd) {
        while (read(fd, pump->page, pump->page_size) > 0)
                ;
}

static PumpSink *last_active(Pump *pump) {
        PumpSink *sink;

        TAILQ_FOREACH_REVERSE(sink, &pump->sinks, PumpSinkList, sinks)
        if (sink->active)
                return sink;
        return NULL;
}

static void fail(Pump *pump, PumpSink *sink, int r) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        (void) error_set_errno(&error, r, "Failed to write the capture");
        pump_fail_sink(pump, sink, r, &error);
}

bool pump_may_deliver(Pump *pump) {
        CLEANUP(error_clear) Error reason = ERROR_INIT;
        PumpSink *sink;
        int r;

        if (!pump->guard || pump->guard_failed)
                return !pump->guard_failed;
        r = reuse_guard_check(pump->guard, &reason);
        if (r >= 0)
                return true;
        pump->guard_failed = true;
        (void) instance_set_tracing(pump->instance, false, NULL);
        TAILQ_FOREACH(sink, &pump->sinks, sinks) {
                CLEANUP(error_clear) Error error = ERROR_INIT;

                if (!sink->active)
                        continue;
                (void) error_set(&error, reason.code, "%s", error_text(&reason));
                pump_fail_sink(pump, sink, r, &error);
        }
        return false;
}

/* What is in the pipe goes to all sinks: a copy (of references to the pages, by tee(2)) to each but the
 * last, which empties the pipe. */
static void deliver(Pump *pump, size_t cpu_index, size_t size) {
        PumpSink *last = last_active(pump), *sink;
        int r;

        pump_stream_pipe(pump, cpu_index, size);
        TAILQ_FOREACH(sink, &pump->sinks, sinks) {
                if (!sink->active || sink == last)
                        continue;

                r = 0;
                if (tee(pump->pipe[0], pump->copy[1], size, SPLICE_F_NONBLOCK) != (ssize_t) size)
                        r = -EIO;
                if (r >= 0)
                        r = segment_splice(sink_segment(sink->sink), cpu_index, pump->copy[0], size);
                if (r < 0) {
                        empty_pipe(pump, pump->copy[0]);
                        fail(pump, sink, r);
                }
        }

        if (!last) {
                empty_pipe(pump, pump->pipe[0]);
                return;
        }
        r = segment_splice(sink_segment(last->sink), cpu_index, pump->pipe[0], size);
        if (r < 0) {
                empty_pipe(pump, pump->pipe[0]);
                fail(pump, last, r);
        }
}

static void deliver_page(Pump *pump, size_t cpu_index, size_t size) {
        PumpSink *sink;

        pump_stream_page(pump, cpu_index, size);
        TAILQ_FOREACH(sink, &pump->sinks, sinks) {
                int r;

                if (!sink->active)
                        continue;
                r = segment_write(sink_segment(sink->sink), cpu_index, pump->page, size);
                if (r < 0)
                        fail(pump, sink, r);
        }
}

/* Rotates the sinks that are full. Returns how many bytes all of them can take then, at most the pipe's size. */
static size_t make_room(Pump *pump, size_t cpu_index) {
        size_t room = pump->pipe_size;
        PumpSink *sink;

        TAILQ_FOREACH(sink, &pump->sinks, sinks) {
                uint64_t space;

                if (!sink->active)
                        continue;

                space = sink_space(sink->sink, cpu_index);
                if (space < pump->page_size) {
                        CLEANUP(error_clear) Error error = ERROR_INIT;
                        int r = sink_is_external(sink->sink) ? -EFBIG : pump_rotate_sink(pump, sink, false, &error);

                        if (r < 0) {
                                (void) error_set_errno(&error, r, "The output file is full");
                                pump_fail_sink(pump, sink, r, &error);
                                continue;
                        }
                        space = sink_space(sink->sink, cpu_index);
                }
                if (space < room)
                        room = (size_t) space;
        }
        return room / pump->page_size * pump->page_size;
}

size_t pump_drain(Pump *pump, size_t cpu_index) {
        size_t room = make_room(pump, cpu_index);
        ssize_t n;

        n = splice(pump->raw_fds[cpu_index], NULL, pump->pipe[1], NULL, room, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n <= 0)
                return 0;
        if (!pump_may_deliver(pump)) {
                empty_pipe(pump, pump->pipe[0]);
                return (size_t) n;
        }
        deliver(pump, cpu_index, (size_t) n);
        return (size_t) n;
}

/* One page that need not be full. */
static bool read_page(Pump *pump, size_t cpu_index) {
        ssize_t n;

        (void) make_room(pump, cpu_index);
        n = read(pump->raw_fds[cpu_index], pump->page, pump->page_size);
        if (n <= 0)
                return false;
        if (pump_may_deliver(pump))
                deliver_page(pump, cpu_index, (size_t) n);
        return true;
}

static uint64_t flush_limit(const Pump *pump) {
        return instance_buffer_size(pump->instance) + 2 * pump->page_size;
}

uint64_t pump_flush_max(const Pump *pump) {
        return flush_limit(pump) + pump->pipe_size + pump->page_size;
}

/* While events go on, a CPU that gives pages without end is left once it gave as many as its buffer holds:
 * these were all those that were there when it began. Reading can make events itself. Tracing may be on before
 * the pump switches it on, see instance_configure(). */
static void flush_cpu(Pump *pump, size_t cpu_index) {
        uint64_t limit = flush_limit(pump), done = 0;
        bool tracing = pump->tracing || instance_is_tracing(pump->instance);

        for (;;) {
                size_t n = pump_drain(pump, cpu_index);

                done += n;
                if (n > 0 && done < limit)
                        continue;
                if (!read_page(pump, cpu_index))
                        return;
                done += pump->page_size;
                if (tracing && done >= limit)
                        return;
        }
}

void pump_flush(Pump *pump) {
        for (size_t i = 0; i < pump->n_cpus; i++)
                flush_cpu(pump, i);
}
