/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "capture/pump-private.h"
#include "core/strv.h"
#include "kernel/formats.h"
#include "ktraced/clock.h"

/* A disk that closes segments more slowly than they are filled must hold the pump up at some point. */
#define CLOSING_MAX 8U

static PumpSink *find_sink(Pump *pump, uint64_t id) {
        PumpSink *sink;

        TAILQ_FOREACH(sink, &pump->sinks, sinks)
                if (sink->id == id)
                        return sink;
        return NULL;
}

static void free_sink(PumpSink *sink) {
        if (!sink)
                return;

        sink_free(sink->sink);
        free(sink->base);
        free(sink->lost);
        free(sink->reason);
        error_clear(&sink->error);
        pump_report_free(sink->closed);
        free(sink);
}

SegmentHead pump_make_head(const Pump *pump) {
        return (SegmentHead){
                .formats = pump->formats,
                .cpus = instance_cpus(pump->instance),
                .clock = instance_clock(pump->instance),
                .trace_id = pump->trace_id,
        };
}

static void submit(Pump *pump, PumpSink *sink, ClosingSegment *closing, bool answer) {
        closing->sink_id = sink->id;
        closing->answer = answer;
        sink->n_closing++;
        pump->n_jobs++;
        mailbox_post(pump->jobs, &closing->item);
}

/* The sink's last report, and the end of it. */
static void finish_sink(Pump *pump, PumpSink *sink) {
        PumpReport *report = STEAL_PTR(sink->closed);
        int r;

        pump_fill_totals(sink, report);
        r = sink_finish(sink->sink, sink->r < 0 ? CAPTURE_FAILED : CAPTURE_COMPLETE,
                        sink->r < 0 ? error_text(&sink->error) : sink->reason, &report->metadata);
        if (sink->r < 0) {
                report->r = sink->r;
                error_move(&report->error, &sink->error);
        } else if (r < 0)
                report->r = error_set_errno(&report->error, r, "Failed to write the capture's metadata");

        TAILQ_REMOVE(&pump->sinks, sink, sinks);
        free_sink(sink);
        pump_post(pump, report);
}

/* Takes it off the way of the pages; what it has is closed. pump_reap() lets it go once that is done. */
static void retire_sink(Pump *pump, PumpSink *sink) {
        CLEANUP_FREE char *cmdlines = NULL;
        CLEANUP(strv_freep) char **stats = NULL;
        ClosingSegment *closing = NULL;

        pump_end_streams(pump, sink->id);
        if (sink->active) {
                sink->active = false;
                pump->n_active--;
                if (pump->n_active == 0 && pump->tracing && !pump->ring) {
                        (void) instance_set_tracing(pump->instance, false, NULL);
                        pump->tracing = false;
                }
        }

        pump_read_comms(pump);
        /* Without names and statistics it is a capture still. */
        (void) pump_make_tail(pump, sink, &cmdlines, &stats);
        (void) sink_retire(sink->sink, cmdlines, stats, &closing);
        if (closing)
                submit(pump, sink, closing, false);
}

void pump_reap(Pump *pump) {
        PumpSink *sink, *next;

        for (sink = TAILQ_FIRST(&pump->sinks); sink; sink = next) {
                next = TAILQ_NEXT(sink, sinks);
                if (!sink->active && sink->n_closing == 0)
                        finish_sink(pump, sink);
        }
}

void pump_fail_sink(Pump *pump, PumpSink *sink, int r, Error *error) {
        if (sink->r == 0) {
                sink->r = r;
                error_move(&sink->error, error);
        }
        if (sink->active)
                retire_sink(pump, sink);
}

static void post_rotated(Pump *pump, uint64_t sink_id, int r, Error *error) {
        PumpReport *report = pump_report_new(PUMP_ROTATED, sink_id);

        if (!report)
                return;
        report->r = r;
        if (r < 0)
                error_move(&report->error, error);
        pump_post(pump, report);
}

void pump_handle_closed(Pump *pump, ClosingSegment *closing) {
        CLEANUP(closing_segment_freep) ClosingSegment *done = closing;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        PumpSink *sink = find_sink(pump, closing->sink_id); /* stays until all of its segments are closed */
        SegmentInfo info;
        int r;

        pump->n_jobs--;
        sink->n_closing--;
        r = sink_take_closed(sink->sink, done, &error, &info);
        if (r > 0) {
                PumpReport *report = pump_report_new(PUMP_SEGMENT_CLOSED, sink->id);

                if (report) {
                        pump_fill_totals(sink, report);
                        report->segment = info;
                }
                pump_post(pump, report);
        }
        if (closing->answer) {
                CLEANUP(error_clear) Error copy = ERROR_INIT;

                if (r < 0)
                        (void) error_set(&copy, error.code, "%s", error_text(&error));
                post_rotated(pump, sink->id, r < 0 ? r : 0, &copy);
        }

        if (r < 0) {
                pump_fail_sink(pump, sink, r, &error);
                if (pump->ring)
                        pump_lose_window(pump);
        } else if (pump->ring && r > 0) {
                closing_segment_free(pump->previous);
                pump->previous = STEAL_PTR(done);
        }
}

bool pump_closer_has_room(const Pump *pump) {
        return pump->n_jobs < CLOSING_MAX;
}

void pump_wait_for_closer(Pump *pump, size_t max) {
        struct pollfd fd = { .fd = mailbox_fd(pump->closed), .events = POLLIN };

        while (pump->n_jobs > max) {
                MailboxItem *item = mailbox_take(pump->closed);

                if (item)
                        pump_handle_closed(pump, (ClosingSegment *) item);
                else
                        (void) poll(&fd, 1, -1);
        }
}

int pump_rotate_sink(Pump *pump, PumpSink *sink, bool answer, Error *error) {
        CLEANUP_FREE char *cmdlines = NULL;
        CLEANUP(strv_freep) char **stats = NULL;
        SegmentHead head = pump_make_head(pump);
        ClosingSegment *closing = NULL;
        int r;

        pump_read_comms_if_due(pump);
        r = pump_read_stats(pump);
        if (r >= 0)
                r = pump_account(pump, sink);
        if (r >= 0)
                r = pump_make_tail(pump, sink, &cmdlines, &stats);
        if (r >= 0)
                r = sink_checkpoint(sink->sink);
        if (r < 0)
                return error_set_errno(error, r, "Failed to rotate");

        r = sink_rotate(sink->sink, &head, cmdlines, stats, error, &closing);
        if (closing)
                submit(pump, sink, closing, answer);
        return r;
}

void pump_rotate_old(Pump *pump) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        bool flushed = false;
        PumpSink *sink;

        TAILQ_FOREACH(sink, &pump->sinks, sinks) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r;

                if (!sink->active || !sink_is_old(sink->sink, now, sink->events_seen - sink->events))
                        continue;
                if (!flushed) {
                        flushed = true;
                        pump_flush(pump);
                        if (!sink->active)
                                continue;
                }
                r = pump_rotate_sink(pump, sink, false, &error);
                if (r < 0)
                        pump_fail_sink(pump, sink, r, &error);
        }
}

int pump_collect_formats(Pump *pump, Error *error) {
        if (pump->formats)
                return 0;
        if (pump->events)
                return formats_collect_events(pump->systems, pump->events, error, &pump->formats);
        return formats_collect(pump->systems, pump->symbols, error, &pump->formats);
}

int pump_begin_tracing(Pump *pump, Error *error) {
        int r = instance_set_tracing(pump->instance, true, error);

        if (r < 0)
                return r;
        pump->tracing = true;
        if (!instance_begins_empty(pump->instance))
                return 0;
        r = pump_read_stats(pump);
        if (r < 0)
                return error_set_errno(error, r, "Failed to read the buffers' statistics");
        for (size_t i = 0; i < pump->n_cpus; i++)
                pump->stats[i] = (BufferStats){ .oldest = pump->stats[i].now, .now = pump->stats[i].now };
        return 0;
}

/* What was recorded before does not concern the new sink: with others there, it goes to them; otherwise
 * it is of a time when nobody wanted it. */
static int join(Pump *pump, PumpSink *sink, Error *error) {
        SegmentHead head;
        int r;

        if (pump->setup < 0) {
                error_move(error, &pump->setup_error);
                return error_set_errno(error, pump->setup, "Failed to open the trace buffers");
        }
        if (pump->stopping)
                return error_set(error, ERROR_WRONG_STATE, "The recording is being stopped");

        sink->base = calloc(pump->n_cpus, sizeof(sink->base[0]));
        sink->lost = calloc(pump->n_cpus, sizeof(sink->lost[0]));
        if (!sink->base || !sink->lost)
                return error_set_errno(error, -ENOMEM, "Failed to begin the capture");

        r = sink_prepare(sink->sink, error);
        if (r < 0)
                return r;
        if (pump->n_active > 0) {
                r = pump_open_copy(pump);
                if (r < 0)
                        return error_set_errno(error, r, "Failed to open a pipe");
        }
        /* From when tracing is on, the guard must not be kept waiting. */
        if (pump->guard) {
                r = pump_collect_formats(pump, error);
                if (r >= 0)
                        r = pump->guard_failed ? error_set(error, ERROR_OUT_OF_SCOPE, "The recording was ended")
                                               : reuse_guard_check(pump->guard, error);
                if (r < 0)
                        return r;
        }
        pump_flush(pump);
        r = pump_read_stats(pump);
        if (r < 0)
                return error_set_errno(error, r, "Failed to read the buffers' statistics");
        if (!pump->tracing) {
                r = pump_begin_tracing(pump, error);
                if (r < 0)
                        return r;
        }
        pump_set_base(pump, sink);
        pump_post(pump, pump_report_new(PUMP_SINK_READY, sink->id));

        /* Slow; meanwhile the kernel keeps what is recorded. */
        r = pump_collect_formats(pump, error);
        if (r < 0)
                return r;
        head = pump_make_head(pump);
        return sink_begin(sink->sink, &head, error);
}

PumpSink *pump_sink_new(Pump *pump, PumpCommand *command) {
        PumpSink *sink;

        sink = calloc(1, sizeof(*sink));
        if (!sink) {
                command->report->r = error_set_errno(&command->report->error, -ENOMEM, "Failed to add the capture");
                pump_post(pump, STEAL_PTR(command->report));
                return NULL;
        }
        sink->id = command->sink_id;
        sink->sink = STEAL_PTR(command->sink);
        sink->closed = STEAL_PTR(command->report);
        sink->error = ERROR_INIT;
        TAILQ_INSERT_TAIL(&pump->sinks, sink, sinks);
        return sink;
}

static void add_sink(Pump *pump, PumpCommand *command) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        PumpSink *sink;
        int r;

        sink = pump_sink_new(pump, command);
        if (!sink)
                return;

        r = join(pump, sink, &error);
        if (r >= 0) {
                sink->active = true;
                pump->n_active++;
                return;
        }

        sink->r = r;
        error_move(&sink->error, &error);
        if (pump->n_active == 0 && pump->tracing) {
                (void) instance_set_tracing(pump->instance, false, NULL);
                pump->tracing = false;
        }
}

static void rotate(Pump *pump, PumpSink *sink, PumpReport *report) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        pump_flush(pump);
        if (!sink->active)
                r = error_set(&error, ERROR_WRONG_STATE, "The capture has ended");
        else
                r = pump_rotate_sink(pump, sink, true, &error);
        if (r >= 0) {
                /* The answer comes when the segment is closed. */
                pump_report_free(report);
                return;
        }

        report->r = r;
        error_move(&report->error, &error);
        pump_post(pump, report);
}

static void clear(Pump *pump, PumpSink *sink, PumpReport *report) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        SegmentHead head = pump_make_head(pump);
        int r;

        pump_flush(pump);
        if (!sink->active)
                r = error_set(&error, ERROR_WRONG_STATE, "The capture has ended");
        else {
                r = pump_read_stats(pump);
                if (r < 0)
                        (void) error_set_errno(&error, r, "Failed to read the buffers' statistics");
                else
                        r = sink_clear(sink->sink, &head, &error);
                if (r >= 0)
                        pump_set_base(pump, sink);
        }

        report->r = r < 0 ? r : 0;
        if (r < 0)
                (void) error_set(&report->error, error.code, "%s", error_text(&error));
        pump_post(pump, report);
        if (r < 0 && sink->active && !sink_segment(sink->sink))
                pump_fail_sink(pump, sink, r, &error);
}

void pump_end_sink(Pump *pump, PumpSink *sink, const char *reason) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        if (!sink->active)
                return;
        if (reason) {
                sink->reason = strdup(reason);
                if (!sink->reason) {
                        (void) error_set_errno(&error, -ENOMEM, "Failed to end the capture");
                        pump_fail_sink(pump, sink, -ENOMEM, &error);
                        return;
                }
        }

        r = pump_read_stats(pump);
        if (r >= 0)
                r = pump_account(pump, sink);
        if (r < 0) {
                (void) error_set_errno(&error, r, "Failed to read the buffers' statistics");
                pump_fail_sink(pump, sink, r, &error);
                return;
        }
        retire_sink(pump, sink);
}

static void stop(Pump *pump, const char *reason) {
        PumpSink *sink;

        pump->stopping = true;
        if (pump->tracing) {
                /* Another tool may have removed the instance; the end is the same. */
                (void) instance_set_tracing(pump->instance, false, NULL);
                pump->tracing = false;
        }
        if (pump->n_active > 0)
                pump_flush(pump);
        TAILQ_FOREACH(sink, &pump->sinks, sinks)
                pump_end_sink(pump, sink, reason);
}

static void note_thinned(Pump *pump, PumpSink *sink, const char *event) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = sink_note_thinned(sink->sink, event, &error);

        if (r < 0)
                pump_fail_sink(pump, sink, r, &error);
}

void pump_handle_command(Pump *pump, PumpCommand *command) {
        PumpSink *sink;

        if (command->type == PUMP_COMMAND_ROTATE)
                pump_wait_for_closer(pump, CLOSING_MAX - 1);
        sink = find_sink(pump, command->sink_id);

        switch (command->type) {
        case PUMP_COMMAND_ADD:
                add_sink(pump, command);
                return;
        case PUMP_COMMAND_SNAPSHOT:
                pump_take_snapshot(pump, command);
                return;
        case PUMP_COMMAND_STREAM:
                pump_add_stream(pump, command, sink && sink->active);
                return;
        case PUMP_COMMAND_STOP:
                stop(pump, command->reason);
                return;
        case PUMP_COMMAND_MEASURE:
                pump_take_measure(pump, STEAL_PTR(command->report));
                return;
        case PUMP_COMMAND_RESIZE:
                pump_resize_ring(pump, command->size, STEAL_PTR(command->report));
                return;
        case PUMP_COMMAND_REMOVE:
                if (sink && sink->active) {
                        pump_flush(pump);
                        pump_end_sink(pump, sink, command->reason);
                }
                return;
        case PUMP_COMMAND_NOTE_THINNED:
                if (sink && sink->active)
                        note_thinned(pump, sink, command->reason);
                return;
        case PUMP_COMMAND_ROTATE:
        case PUMP_COMMAND_CLEAR:
                if (!sink || !sink->active) {
                        command->report->r =
                                error_set(&command->report->error, ERROR_WRONG_STATE, "The capture has ended");
                        pump_post(pump, STEAL_PTR(command->report));
                } else if (command->type == PUMP_COMMAND_ROTATE)
                        rotate(pump, sink, STEAL_PTR(command->report));
                else
                        clear(pump, sink, STEAL_PTR(command->report));
                return;
        }
}
