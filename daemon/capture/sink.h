/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sink: where the pages of one run of a session go: a sequence of segments in a directory of the store,
 * or one segment in a file of the client's. Decides when to rotate and keeps the capture's metadata.
 *
 * Closing a segment can take as long as writing it out does, so that it is done beside the recording: what
 * the sink is done with goes out as a ClosingSegment, which has all it needs and nothing of the sink, is
 * closed on any thread, and comes back with sink_take_closed().
 *
 * Life cycle: sink_new() on the control thread; from then on it belongs to the pump's thread:
 * sink_prepare(), sink_begin(), pages, sink_checkpoint(), sink_rotate(), sink_retire(), and once everything
 * that went out for closing has come back, sink_finish(). sink_free() anywhere.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/segment.h"
#include "core/mailbox.h"
#include "core/metadata.h"

typedef struct Sink Sink;

typedef struct SinkConfig {
        int dir_fd;                /* of the capture in the store, or -1; taken over, also on failure */
        int output_fd;             /* the client's file, or -1; taken over, also on failure */
        uint64_t segment_size;     /* bytes; ignored for output_fd */
        uint64_t segment_age;      /* usec; 0: unlimited */
        uint64_t segments_max;     /* 0: all */
        CaptureMetadata *metadata; /* taken over on success; state active */
} SinkConfig;

typedef struct ClosingSegment {
        MailboxItem item; /* first */
        uint64_t sink_id; /* for the pump, as is `answer` */
        bool answer;
        unsigned generation; /* of the sink's; sink_clear() begins a new one */
        SegmentInfo info;
        int fd;
        Segment *segment;
        char *cmdlines;
        char **cpu_stats; /* NULL-terminated */
        int r;            /* of closing */
} ClosingSegment;

int sink_new(const SinkConfig *config, Error *error, Sink **ret);
void sink_free(Sink *sink);
DEFINE_POINTER_CLEANUP(Sink, sink_free);

/* Checks the output's emptiness or creates the first file under its temporary name. */
int sink_prepare(Sink *sink, Error *error);
/* Writes the first segment's head; the file gets its name once it is valid. head->region_size 0: it is the sink's to
 * choose; otherwise no CPU gets more than that into the first segment. */
int sink_begin(Sink *sink, const SegmentHead *head, Error *error);

Segment *sink_segment(Sink *sink); /* NULL before sink_begin() and after sink_retire() */
/* How many bytes of pages of the CPU with this index may come before the sink is to be rotated. */
uint64_t sink_space(const Sink *sink, size_t cpu_index);
/* Whether it is to be rotated because of its age; `now`: CLOCK_MONOTONIC usec. `n_waiting`: events that are
 * still in the kernel's buffer; a quiet session would keep them there for ever. */
bool sink_is_old(const Sink *sink, uint64_t now, uint64_t n_waiting);
bool sink_is_external(const Sink *sink);
const CaptureMetadata *sink_metadata(const Sink *sink);
/* Bytes of pages since the sink joined (or was cleared), all segments, also those that were dropped. */
uint64_t sink_bytes(const Sink *sink);

/* Counters since the sink joined; `lost` for each CPU of the head. They go into the metadata: `events` and
 * `lost` are of the whole run, `bytes` is what the segments that are kept take. */
int sink_account(Sink *sink, uint64_t events, const uint64_t *lost);
int sink_checkpoint(Sink *sink);
/* For the metadata. */
int sink_add_gap(Sink *sink, const RecordingGap *gap);
/* An event that is left out from now on: into the metadata, which are written. */
int sink_note_thinned(Sink *sink, const char *event, Error *error);
/* Begins the next segment and hands out the one before. `cmdlines` and `cpu_stats` (NULL-terminated; both
 * may be NULL): as in SegmentTail; copied. On failure the segment goes on. */
int sink_rotate(Sink *sink, const SegmentHead *head, const char *cmdlines, char *const *cpu_stats, Error *error,
                ClosingSegment **ret);
/* Hands out the last one. *ret is NULL when there was none. */
int sink_retire(Sink *sink, const char *cmdlines, char *const *cpu_stats, ClosingSegment **ret);
/* Puts a segment that was closed into the metadata, and drops the oldest beyond segments_max. 1, and *ret
 * set, when it counts; 0 when the sink was cleared since. -errno when it could not be closed or the
 * metadata could not be written. Frees nothing. */
int sink_take_closed(Sink *sink, const ClosingSegment *closing, Error *error, SegmentInfo *ret);
/* Throws away what was recorded so far and begins anew. */
int sink_clear(Sink *sink, const SegmentHead *head, Error *error);
/* Writes the metadata for the last time: state complete, or failed with the reason. They go to the caller,
 * also when writing them failed. */
int sink_finish(Sink *sink, CaptureState state, const char *reason, CaptureMetadata **ret);

/* On any thread. The result is also in closing->r. */
int closing_segment_run(ClosingSegment *closing);
void closing_segment_free(ClosingSegment *closing);
DEFINE_POINTER_CLEANUP(ClosingSegment, closing_segment_free);
