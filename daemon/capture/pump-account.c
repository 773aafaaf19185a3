/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture/pump-private.h"
#include "core/strv.h"
#include "kernel/formats.h"
#include "ktraced/clock.h"

/* Between two looks at the kernel's table of command names, usec. */
#define COMMS_INTERVAL_MIN UINT64_C(1000000)
#define COMMS_INTERVAL_MAX UINT64_C(16000000)

int pump_read_stats(Pump *pump) {
        for (size_t i = 0; i < pump->n_cpus; i++) {
                int r = instance_read_stats(pump->stats_fds[i], &pump->stats[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

int pump_account(Pump *pump, PumpSink *sink) {
        uint64_t waiting = 0;

        sink->events = sink->carried;
        sink->n_lost = 0;
        for (size_t i = 0; i < pump->n_cpus; i++) {
                sink->events += pump->stats[i].read_events - sink->base[i].read_events;
                sink->lost[i] = buffer_stats_lost(&pump->stats[i]) - buffer_stats_lost(&sink->base[i]);
                sink->n_lost += sink->lost[i];
                waiting += pump->stats[i].entries;
        }
        sink->events_seen = sink->events + waiting;
        return sink_account(sink->sink, sink->events, sink->lost);
}

void pump_set_base(Pump *pump, PumpSink *sink) {
        memcpy(sink->base, pump->stats, pump->n_cpus * sizeof(sink->base[0]));
        memset(sink->lost, 0, pump->n_cpus * sizeof(sink->lost[0]));
        sink->events = sink->events_seen = sink->n_lost = 0;
}

static int copy_losses(Pump *pump, const PumpSink *sink, PumpReport *report) {
        report->losses = calloc(pump->n_cpus, sizeof(report->losses[0]));
        if (!report->losses)
                return -ENOMEM;
        for (size_t i = 0; i < pump->n_cpus; i++)
                if (sink->lost[i] > 0)
                        report->losses[report->n_losses++] = (CpuLoss){
                                .cpu = instance_cpus(pump->instance)->cpus[i],
                                .lost = sink->lost[i],
                        };
        return 0;
}

void pump_fill_totals(const PumpSink *sink, PumpReport *report) {
        const CaptureMetadata *metadata = sink_metadata(sink->sink);

        /* Its row is the last, and stands without an end. */
        if (metadata->n_segments > 0 && metadata->segments[metadata->n_segments - 1].end_realtime == 0)
                report->open_segment = metadata->segments[metadata->n_segments - 1].number;
        report->events = sink->events_seen;
        report->bytes = sink_bytes(sink->sink);
        report->lost = sink->n_lost;
}

static void report_progress(Pump *pump, PumpSink *sink) {
        uint64_t bytes = sink_bytes(sink->sink);
        PumpReport *report;

        if (sink->events_seen == sink->reported_events && bytes == sink->reported_bytes &&
            sink->n_lost == sink->reported_lost)
                return;

        report = pump_report_new(PUMP_PROGRESS, sink->id);
        if (!report)
                return;
        pump_fill_totals(sink, report);
        if (copy_losses(pump, sink, report) < 0) {
                pump_report_free(report);
                return;
        }
        sink->reported_events = sink->events_seen;
        sink->reported_bytes = bytes;
        sink->reported_lost = sink->n_lost;
        pump_post(pump, report);
}

static size_t count_lines(const char *text) {
        size_t n = 0;

        for (; (text = strchr(text, '\n')); text++)
                n++;
        return n;
}

/* Reading some thousand names takes milliseconds. It is done as often as there are new ones: again after a
 * second when a quarter was new, else after twice the time. */
void pump_read_comms(Pump *pump) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FREE char *changed = NULL;
        size_t before = comm_map_size(pump->comms);
        uint64_t start = clock_usec(CLOCK_MONOTONIC);

        /* A name that is missing costs the reader a "<...>" and nothing else. */
        if ((instance_is_limited(pump->instance) ? instance_read_own_names(pump->instance, &text)
                                                 : formats_read_cmdlines(&text)) < 0)
                return;
        if (comm_map_update(pump->comms, text, &changed) >= 0)
                pump_stream_comms(pump, changed);

        if ((comm_map_size(pump->comms) - before) * 4 >= count_lines(text))
                pump->comms_interval = COMMS_INTERVAL_MIN;
        else if (pump->comms_interval < COMMS_INTERVAL_MAX)
                pump->comms_interval *= 2;
        pump->comms_read = clock_usec(CLOCK_MONOTONIC);
        pump->comms_cost = pump->comms_read - start;
}

void pump_read_comms_if_due(Pump *pump) {
        if (pump->comms_read == 0 || clock_usec(CLOCK_MONOTONIC) - pump->comms_read >= pump->comms_interval)
                pump_read_comms(pump);
}

static int format_stats(const Pump *pump, const PumpSink *sink, char ***ret) {
        CLEANUP(strv_freep) char **stats = NULL;

        for (size_t i = 0; i < pump->n_cpus; i++) {
                const BufferStats *now = &pump->stats[i], *base = &sink->base[i];
                CLEANUP_FREE char *text = NULL;
                int r;

                r = asprintf(&text,
                             "CPU: %u\nentries: %llu\noverrun: %llu\ncommit overrun: %llu\nbytes: %llu\n"
                             "dropped events: %llu\nread events: %llu\n",
                             instance_cpus(pump->instance)->cpus[i], (unsigned long long) now->entries,
                             (unsigned long long) (now->overrun - base->overrun),
                             (unsigned long long) (now->commit_overrun - base->commit_overrun),
                             (unsigned long long) now->bytes, (unsigned long long) (now->dropped - base->dropped),
                             (unsigned long long) (now->read_events - base->read_events));
                if (r < 0) {
                        text = NULL;
                        return -ENOMEM;
                }
                r = strv_append(&stats, text);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(stats);
        return 0;
}

int pump_make_tail(Pump *pump, const PumpSink *sink, char **ret_cmdlines, char ***ret_stats) {
        CLEANUP_FREE char *cmdlines = NULL;
        int r;

        r = comm_map_format(pump->comms, &cmdlines);
        if (r < 0)
                return r;
        r = format_stats(pump, sink, ret_stats);
        if (r < 0)
                return r;
        *ret_cmdlines = STEAL_PTR(cmdlines);
        return 0;
}

static void check_tracing(Pump *pump) {
        if (!pump->tracing || pump->pauses || pump->tracing_lost || instance_is_tracing(pump->instance))
                return;

        pump->tracing_lost = true;
        pump_post(pump, pump_report_new(PUMP_TRACING_LOST, 0));
}

void pump_checkpoint(Pump *pump) {
        PumpSink *sink;
        int stats;

        if (pump->n_active == 0)
                return;

        pump_read_comms_if_due(pump);
        stats = pump_read_stats(pump);
        TAILQ_FOREACH(sink, &pump->sinks, sinks) {
                int r = stats;

                if (!sink->active)
                        continue;

                if (r >= 0)
                        r = pump_account(pump, sink);
                if (r >= 0)
                        r = sink_checkpoint(sink->sink);
                if (r < 0) {
                        CLEANUP(error_clear) Error error = ERROR_INIT;

                        (void) error_set_errno(&error, r, "Failed to bring the capture up to date");
                        pump_fail_sink(pump, sink, r, &error);
                        continue;
                }
                report_progress(pump, sink);
        }
        check_tracing(pump);
}
