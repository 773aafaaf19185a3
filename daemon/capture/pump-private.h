/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the pump-*.c files share. Not for others.
 *
 * pump.c is the side of the control thread, pump-thread.c the loop, pump-drain.c the way of the pages,
 * pump-sinks.c the coming and going of sinks, pump-account.c what is known about them; pump-snapshot.c and
 * pump-measure.c are for rings. Segments are closed on a second thread, since closing one can take as long as writing
 * it out: jobs go to it and come back through mailboxes.
 */

#include <poll.h>
#include <pthread.h>
#include <sys/queue.h>

#include "capture/pump.h"
#include "capture/stream.h"
#include "core/comm-map.h"
#include "kernel/reuse-guard.h"

/* Of a ring, that a snapshot may tell of. Changes of size are rare: what is older is overwritten by then. */
#define PUMP_GAPS_MAX 16U

typedef enum PumpCommandType {
        PUMP_COMMAND_ADD,
        PUMP_COMMAND_SNAPSHOT,
        PUMP_COMMAND_ROTATE,
        PUMP_COMMAND_CLEAR,
        PUMP_COMMAND_MEASURE,
        PUMP_COMMAND_RESIZE,
        PUMP_COMMAND_REMOVE,
        PUMP_COMMAND_STREAM,
        PUMP_COMMAND_NOTE_THINNED,
        PUMP_COMMAND_STOP,
} PumpCommandType;

typedef struct PumpCommand {
        MailboxItem item; /* first */
        PumpCommandType type;
        uint64_t sink_id;
        Sink *sink;
        char *reason;       /* or the event */
        int fd;             /* of PUMP_COMMAND_STREAM; else -1 */
        uint64_t size;      /* of PUMP_COMMAND_RESIZE */
        PumpReport *report; /* made beforehand, so that the answer cannot fail for want of memory */
} PumpCommand;

typedef struct PumpSink {
        TAILQ_ENTRY(PumpSink) sinks;
        uint64_t id;
        Sink *sink;
        bool active;       /* gets pages */
        BufferStats *base; /* of each CPU, when it joined */
        uint64_t carried;  /* events that a snapshot took over from the one before */
        uint64_t *lost;    /* of each CPU, since then */
        uint64_t events, events_seen, n_lost;
        uint64_t reported_events, reported_bytes, reported_lost;
        size_t n_closing; /* segments that are being closed */
        char *reason;
        int r; /* why it failed */
        Error error;
        PumpReport *closed; /* PUMP_SINK_CLOSED */
} PumpSink;

TAILQ_HEAD(PumpSinkList, PumpSink);

typedef struct PumpStream PumpStream;
TAILQ_HEAD(PumpStreamList, PumpStream);

struct Pump {
        Instance *instance;
        char **systems, **events;
        bool symbols;
        Mailbox *commands; /* PumpCommand: control thread -> pump */
        Mailbox *reports;  /* PumpReport: pump -> control thread */
        Mailbox *jobs;     /* ClosingSegment: pump -> closer; one without a segment ends the closer */
        Mailbox *closed;   /* ClosingSegment: closer -> pump */
        pthread_t thread, closer;
        PumpReport *finished;     /* PUMP_FINISHED, made beforehand */
        ClosingSegment *last_job; /* ends the closer, made beforehand */

        /* From here on the pump's thread only. */
        struct pollfd *fds; /* commands, closed, then the CPUs */
        int setup;          /* -errno when it could not get its descriptors; no sink can be added then */
        Error setup_error;
        uint64_t trace_id;
        TraceFormats *formats; /* NULL until the first sink needs them */
        ReuseGuard *guard;     /* of an instance that is limited; else NULL */
        bool guard_failed;     /* nothing is passed on any more */
        CommMap *comms;
        uint64_t comms_read, comms_interval; /* CLOCK_MONOTONIC, usec; 0: not read yet */
        uint64_t comms_cost;                 /* what reading them took, usec */
        size_t n_cpus, n_open;               /* CPUs; those whose descriptors are open */
        int *raw_fds, *stats_fds;
        BufferStats *stats;
        size_t page_size;
        void *page;
        int pipe[2], copy[2]; /* the way of all pages; of those for all sinks but the last, or -1 */
        size_t pipe_size;
        struct PumpSinkList sinks;
        struct PumpStreamList streams;
        size_t n_active, n_jobs;
        bool ring, pauses;
        bool drained;                /* by a snapshot, at least once */
        ClosingSegment *previous;    /* closed: of the last snapshot, which the next one takes pages from; or NULL */
        BufferStats *previous_stats; /* of each CPU, when that one had drained the buffers */
        BufferStats *measured_stats; /* of each CPU, when the ring was measured last */
        BufferStats *sized_stats;    /* of each CPU, when its buffer got its size */
        RecordingGap gaps[PUMP_GAPS_MAX]; /* the last changes of size */
        size_t n_gaps;
        uint64_t written; /* as RingMeasure has it */
        uint64_t *begins; /* of each CPU: since when that snapshot is complete, usec of the trace clock */
        bool tracing;     /* we switched it on */
        bool tracing_lost;
        bool stopping;
};

/* pump.c */
PumpReport *pump_report_new(PumpReportType type, uint64_t sink_id); /* NULL when out of memory */
void pump_post(Pump *pump, PumpReport *report);                     /* does nothing with NULL */

/* pump-thread.c */
void *pump_thread(void *userdata);
void *pump_closer_thread(void *userdata);
/* The second pipe, which is needed from the second sink on. */
int pump_open_copy(Pump *pump);

/* pump-drain.c */

/* Moves what the CPU has of full pages, one batch at most. Returns the number of bytes; a sink that cannot
 * take them fails. */
size_t pump_drain(Pump *pump, size_t cpu_index);
/* Everything that was recorded up to now, also pages that are not full. With no active sink it is thrown
 * away. */
void pump_flush(Pump *pump);
/* The most bytes that it moves of each CPU while tracing goes on. */
uint64_t pump_flush_max(const Pump *pump);
/* Whether what was read may be passed on. If not, all sinks fail, and tracing is switched off. To be asked at least
 * every reuse_guard_interval(). */
bool pump_may_deliver(Pump *pump);

/* pump-account.c */
int pump_read_stats(Pump *pump);
/* From the statistics that were read last: what was taken out of the buffers since the sink joined is in the
 * sink; what is in the buffers will be. */
int pump_account(Pump *pump, PumpSink *sink);
/* The sink joins now, as those statistics have it. */
void pump_set_base(Pump *pump, PumpSink *sink);
void pump_fill_totals(const PumpSink *sink, PumpReport *report);
void pump_read_comms(Pump *pump);
void pump_read_comms_if_due(Pump *pump);
/* What a segment is closed with. */
int pump_make_tail(Pump *pump, const PumpSink *sink, char **ret_cmdlines, char ***ret_stats);
/* Brings counters, sizes and reports up to date. */
void pump_checkpoint(Pump *pump);

/* pump-sinks.c */
void pump_handle_command(Pump *pump, PumpCommand *command);
void pump_handle_closed(Pump *pump, ClosingSegment *closing);
/* By size: no flush is needed, since the sink goes on with the next page. Nothing may be accounted of a
 * page that was not delivered, hence between batches only. */
int pump_rotate_sink(Pump *pump, PumpSink *sink, bool answer, Error *error);
void pump_rotate_old(Pump *pump);
/* It stays in the list until pump_reap(), so that whoever goes through the list need not mind. */
void pump_fail_sink(Pump *pump, PumpSink *sink, int r, Error *error);
/* Reports and frees the sinks that have ended and whose segments are all closed. */
void pump_reap(Pump *pump);
/* Waits until at most `max` segments are being closed, for as long as the disk takes. */
void pump_wait_for_closer(Pump *pump, size_t max);
/* What a segment's head is made of; the sink fills in the rest. */
SegmentHead pump_make_head(const Pump *pump);
int pump_collect_formats(Pump *pump, Error *error);
/* Switches tracing on; `stats`, which were read before, become those of an empty buffer when it now is one. */
int pump_begin_tracing(Pump *pump, Error *error);
/* Accounts for what was flushed into it and takes it off the way of the pages. */
void pump_end_sink(Pump *pump, PumpSink *sink, const char *reason);
/* A sink for the command's, in the list; its `closed` report is the command's. NULL: no memory, which was answered.
 */
PumpSink *pump_sink_new(Pump *pump, PumpCommand *command);

/* pump-streams.c */

/* Begins one; where that fails the reader gets the end of its pipe. */
void pump_add_stream(Pump *pump, PumpCommand *command, bool active);
/* Those of a sink, with what was flushed up to now. */
void pump_end_streams(Pump *pump, uint64_t sink_id);
/* What is in `page`, or in the pipe, where it stays. */
void pump_stream_page(Pump *pump, size_t cpu_index, size_t size);
void pump_stream_pipe(Pump *pump, size_t cpu_index, size_t size);
void pump_stream_comms(Pump *pump, const char *changed);
/* While there are any: what was recorded, also of pages that are not full, and the streams' own affairs. */
void pump_tick_streams(Pump *pump);

/* pump-snapshot.c */

/* Switches tracing on and reports PUMP_RING_READY. */
void pump_begin_ring(Pump *pump);
void pump_take_snapshot(Pump *pump, PumpCommand *command);
/* How many pages of the last snapshot the next one would take over, by the statistics that were read last. */
uint64_t pump_pages_to_carry(const Pump *pump, size_t cpu_index);

/* pump-measure.c */
void pump_take_measure(Pump *pump, PumpReport *report);
void pump_resize_ring(Pump *pump, uint64_t size, PumpReport *report);
/* Those in the time from the sink's first page on go into its metadata. */
int pump_note_gaps(Pump *pump, PumpSink *sink);
/* Remembers since when the snapshot that is about to be drained is complete, by the statistics that were read last.
 */
void pump_keep_window(Pump *pump);
/* It was drained and is lost. */
void pump_lose_window(Pump *pump);

/* False: the disk cannot keep up with closing segments; no more may be filled for now. */
bool pump_closer_has_room(const Pump *pump);
