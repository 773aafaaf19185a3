/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * FinishJob: what is done with a segment once it is closed, in the background and one at a time: compression, where
 * the settings want it, and the digest of what the file is then. Used by the model only.
 *
 * Life cycle: capture_finish_segment() makes one; it is in its capture's list until it is through, or until the
 * capture goes. A deletion need not wait for it: the store notices that the file is gone.
 */

#include "model/capture.h"

/* The segment is closed. Does nothing for a capture in its client's file. */
void capture_finish_segment(Capture *capture, uint64_t number);
/* After a restart: for all segments that lack something of it. */
void capture_finish_all(Capture *capture);
/* Bytes beside those in the metadata that are being written at present. */
uint64_t capture_temporary_bytes(const Capture *capture);

/* For capture.c: the capture goes, and the jobs are nobody's. */
void capture_forget_jobs(Capture *capture);
/* For capture.c: the row's file has been replaced by one of `bytes`. */
void capture_set_compressed(Capture *capture, SegmentInfo *segment, uint64_t bytes, uint64_t usec);
