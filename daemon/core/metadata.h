/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Metadata of a capture: what stands in capture.json beside the segments and what Capture.Describe returns.
 *
 * Life cycle: metadata_new() when a run starts; the sink's owner updates it at each rotation and at the
 * end; metadata_format() writes, metadata_parse() reads it back after a restart. Free with metadata_free().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "ktraced/cleanup.h"

typedef enum CaptureState {
        CAPTURE_ACTIVE, /* being written */
        CAPTURE_COMPLETE,
        CAPTURE_INTERRUPTED, /* the daemon or the machine went down while it was written */
        CAPTURE_FAILED,      /* writing failed; reason says why */
        _CAPTURE_STATE_MAX,
} CaptureState;

typedef struct SegmentInfo {
        uint64_t number; /* from 1; gaps at the front where old segments were dropped */
        uint64_t bytes;  /* size of the file once closed; recorded page bytes before */
        uint64_t events;
        uint64_t start_realtime; /* usec */
        uint64_t end_realtime;   /* usec; 0 while open */
        uint64_t raw_bytes;      /* size before it was compressed; as `bytes`: not worth it; 0: not compressed */
        uint64_t compress_usec;  /* what that took */
        char sha256[65];         /* lower-case hexadecimal; empty until computed */
} SegmentInfo;

typedef struct CpuLoss {
        unsigned cpu;
        uint64_t lost; /* events overwritten or dropped before they were read */
} CpuLoss;

/* A time in which nothing was recorded, and nothing counted as lost, since the buffers got another size. */
typedef struct RecordingGap {
        uint64_t start_trace_clock, end_trace_clock; /* in the clock's unit; 0: it counts no time */
        uint64_t start_realtime;                     /* usec */
        uint64_t gap_usec;
} RecordingGap;

typedef struct CaptureMetadata {
        char *id;
        char *session_id;
        char *session_name;
        uid_t owner;
        CaptureState state;
        char *reason;    /* why it ended: "stopped", "duration", "client-left", an error's text ... */
        char *spec_json; /* the spec as JSON text */
        char *kernel;    /* uname: release and version */
        char *boot_id;
        char *machine_id;
        char *clock;
        uint64_t start_realtime, end_realtime;       /* usec */
        uint64_t start_trace_clock, end_trace_clock; /* of the first and last page, in the clock's unit; 0: none */
        uint64_t events, bytes, lost;
        uint64_t buffer_size; /* bytes for each CPU that the kernel really gave */
        char **thinned;       /* events that were left out from some time on, since they cost too much; or NULL */
        CpuLoss *losses;      /* CPUs that lost any, ascending */
        size_t n_losses;
        char **journal; /* strv: what the system's journal said before a snapshot, as whoever asked for it passed it
                         */
        RecordingGap *gaps; /* ascending */
        size_t n_gaps;
        SegmentInfo *segments;
        size_t n_segments;
        uint64_t segments_dropped; /* deleted because of the `segments` limit */
        bool pinned;               /* stays until it is deleted by name */
        bool external;             /* written into the client's own file; no segments in the store */
} CaptureMetadata;

int metadata_new(CaptureMetadata **ret);
void metadata_free(CaptureMetadata *metadata);
DEFINE_POINTER_CLEANUP(CaptureMetadata, metadata_free);
int metadata_copy(const CaptureMetadata *metadata, CaptureMetadata **ret);

int metadata_add_segment(CaptureMetadata *metadata, const SegmentInfo *segment);
/* The bytes that compression saved in all segments. */
uint64_t metadata_saved_bytes(const CaptureMetadata *metadata);
int metadata_add_gap(CaptureMetadata *metadata, const RecordingGap *gap);
int metadata_set_loss(CaptureMetadata *metadata, unsigned cpu, uint64_t lost);

/* JSON text; what metadata_format() wrote, metadata_parse() reads without loss. */
int metadata_format(const CaptureMetadata *metadata, char **ret);
int metadata_parse(const char *text, Error *error, CaptureMetadata **ret);

const char *capture_state_to_string(CaptureState state);
int capture_state_from_string(const char *text, CaptureState *ret);
