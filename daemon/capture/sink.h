/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sink: where the pages of one run of a session go: a sequence of segments in a directory of the store,
 * or one segment in a file of the client's. Decides when to rotate and keeps the capture's metadata.
 *
 * Life cycle: sink_new() on the control thread; from then on it belongs to the pump's thread:
 * sink_prepare(), sink_begin(), pages, sink_checkpoint(), sink_rotate(), sink_finish(). sink_free() anywhere.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/segment.h"
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

int sink_new(const SinkConfig *config, Error *error, Sink **ret);
void sink_free(Sink *sink);
DEFINE_POINTER_CLEANUP(Sink, sink_free);

/* Checks the output's emptiness or creates the first file under its temporary name. */
int sink_prepare(Sink *sink, Error *error);
/* Writes the first segment's head; the file gets its name once it is valid. */
int sink_begin(Sink *sink, const SegmentHead *head, Error *error);

Segment *sink_segment(Sink *sink);
/* By size or age (CLOCK_MONOTONIC usec), or because the CPU's region is full. */
bool sink_wants_rotation(const Sink *sink, uint64_t now);
bool sink_is_external(const Sink *sink);
const CaptureMetadata *sink_metadata(const Sink *sink);

/* Counters since the sink joined; `lost` for each CPU of the head. They go into the metadata. */
int sink_account(Sink *sink, uint64_t events, const uint64_t *lost);
int sink_checkpoint(Sink *sink);
/* Closes the segment, drops the oldest beyond segments_max, begins the next. *ret_closed: the segment
 * that was closed. */
int sink_rotate(Sink *sink, const SegmentHead *head, const SegmentTail *tail, Error *error, SegmentInfo *ret_closed);
/* Throws away what was recorded so far and begins anew. */
int sink_clear(Sink *sink, const SegmentHead *head, Error *error);
/* Closes the last segment and the metadata: state complete, or failed with the reason. The final metadata
 * goes to the caller. */
int sink_finish(Sink *sink, const SegmentTail *tail, CaptureState state, const char *reason, CaptureMetadata **ret);
