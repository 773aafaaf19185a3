/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Pump: the thread that moves pages from an instance's per-CPU buffers to its sinks.
 *
 * It owns its descriptors and shares nothing with the control thread but two mailboxes: commands go in,
 * reports come out. A disk that stalls stalls the pump and nobody else.
 *
 * Life cycle: pump_new() starts the thread; the first sink that is ready switches tracing on; sinks come and
 * go; after pump_stop() the pump switches tracing off, drains the buffers, finishes all sinks and reports
 * PUMP_FINISHED; then pump_free() joins the thread, and the instance may be destroyed. pump_free() must
 * not be called before PUMP_FINISHED was taken.
 *
 * With `ring`, nothing is moved: tracing goes on from the start, the kernel overwrites the oldest, and the thread
 * sleeps until pump_snapshot() has it drain what the buffers hold into a sink, which it then finishes. Tracing does
 * not stop for that. What a snapshot drains is gone from the buffers; the next one takes it over from the
 * segment of the one before, as far as the buffers would still hold it.
 *
 * Order: for a sink that was added, PUMP_SINK_READY or PUMP_SINK_CLOSED comes; PUMP_SINK_CLOSED is the last
 * report about a sink.
 */

#include <stdint.h>

#include "capture/sink.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "core/ring-measure.h"
#include "kernel/instance.h"

typedef struct Pump Pump;

typedef enum PumpReportType {
        PUMP_RING_READY,     /* with `ring`: tracing is on, and snapshots can be taken; `r` and `error` when not */
        PUMP_SINK_READY,     /* tracing is on and what happens from now on will be in the sink */
        PUMP_PROGRESS,       /* at most once a second for each sink, when something changed */
        PUMP_SEGMENT_CLOSED, /* `segment` */
        PUMP_ROTATED,        /* answers pump_rotate(); `r`, `error` */
        PUMP_CLEARED,        /* answers pump_clear(); `r`, `error` */
        PUMP_MEASURED,       /* answers pump_measure(): `measure`; or `r`, `error` */
        PUMP_RESIZED,        /* answers pump_resize(): `gap`, `measure`; or `r`, `error` */
        PUMP_SINK_CLOSED,    /* `metadata` (final), `r` and `error` when it failed */
        PUMP_TRACING_LOST,   /* another tool switched the instance off or removed it */
        PUMP_FINISHED,
} PumpReportType;

typedef struct PumpReport {
        MailboxItem item; /* first */
        PumpReportType type;
        uint64_t sink_id;
        int r;
        Error error;
        uint64_t events, bytes, lost; /* PUMP_PROGRESS and later ones about the sink: totals since it joined */
        CpuLoss *losses;              /* PUMP_PROGRESS: CPUs that lost any, with their totals */
        size_t n_losses;
        uint64_t open_segment; /* beside the totals: the number of the one that is being written; 0: none */
        SegmentInfo segment;
        CaptureMetadata *metadata;
        RingMeasure measure;
        RecordingGap gap;
} PumpReport;

typedef struct PumpConfig {
        Instance *instance;   /* borrowed until PUMP_FINISHED */
        char *const *systems; /* whose formats the segments need; copied */
        char *const *events;  /* NULL; or for an instance that is limited: all that it records; copied */
        bool symbols;
        bool ring;
        bool pauses; /* the session's own triggers switch tracing off and on: it is nobody else's doing */
} PumpConfig;

int pump_new(const PumpConfig *config, Error *error, Pump **ret);
void pump_free(Pump *pump);
DEFINE_POINTER_CLEANUP(Pump, pump_free);

/* For the event loop: POLLIN when reports wait. */
int pump_fd(const Pump *pump);
PumpReport *pump_take_report(Pump *pump); /* NULL when none */
void pump_report_free(PumpReport *report);
DEFINE_POINTER_CLEANUP(PumpReport, pump_report_free);

/* Commands; none of them blocks. -ENOMEM is the only failure. The id is the caller's, unique in a pump. One
 * that comes after pump_stop() may go without an answer; its sink is freed with the pump at the latest. */
int pump_add_sink(Pump *pump, uint64_t sink_id, Sink *sink); /* takes the sink over on success */
/* With `ring` only: the same reports as for a sink that was added; it ends by itself. `reason` goes into the
 * metadata. */
int pump_snapshot(Pump *pump, uint64_t sink_id, const char *reason, Sink *sink);
/* With `ring` only. They wait for a snapshot that is being taken. `tag` comes back as the report's sink_id. */
int pump_measure(Pump *pump, uint64_t tag);
/* Bytes for each CPU; see instance_resize(). */
int pump_resize(Pump *pump, uint64_t size);
/* Begins to stream what the sink gets to a pipe (see stream.h), until the reader closes its end or the sink ends; the
 * reader sees the end at once when it cannot begin. `fd`: the writing end, not blocking; taken over on success. Not
 * with `ring`. */
int pump_add_stream_fd(Pump *pump, uint64_t sink_id, int fd);
/* An event ("system:name") that the sink has no more of from now on; for its metadata. */
int pump_note_thinned(Pump *pump, uint64_t sink_id, const char *event);
int pump_rotate(Pump *pump, uint64_t sink_id);
int pump_clear(Pump *pump, uint64_t sink_id);
/* Flushes what was recorded up to now into it and closes it. `reason` goes into the metadata. */
int pump_remove_sink(Pump *pump, uint64_t sink_id, const char *reason);
int pump_stop(Pump *pump, const char *reason);
