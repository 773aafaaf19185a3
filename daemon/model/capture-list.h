/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How captures come into the manager's list, change and go. Used by the model only.
 */

#include "model/capture.h"

/* Takes `metadata` over, also on failure. */
int capture_new(Manager *manager, CaptureMetadata *metadata, Capture **ret);
/* Takes it off the list (and off its session) and frees it; what is in the store stays. */
void capture_free(Capture *capture);
Capture *capture_find(Manager *manager, const char *id);

/* Counters of the run, and the number of the segment that is being written (0: none). */
void capture_progress(Capture *capture, uint64_t events, uint64_t bytes, uint64_t lost, uint64_t open_segment);
/* An event that is left out from now on. */
void capture_note_thinned(Capture *capture, const char *event);
/* One more closed segment; see capture-finish.h for what follows. `segments_max`: 0 keeps all. */
void capture_segment_closed(Capture *capture, const SegmentInfo *segment, uint64_t segments_max);
/* All that was recorded was thrown away. */
void capture_cleared(Capture *capture);
/* The final metadata, taken over. */
void capture_closed(Capture *capture, CaptureMetadata *metadata);

SegmentInfo *capture_find_segment(Capture *capture, uint64_t number); /* NULL: there is none */
/* Writes the metadata, in the background, of a capture that is not written any more. */
void capture_write_metadata(Capture *capture);
void capture_tell_changed(Capture *capture);
