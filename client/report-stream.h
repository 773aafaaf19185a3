/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ReportStream: the records of several segments, those that are wanted, by time, to one receiver.
 * What --last and times relative to the capture's ends need is found by reading everything once before.
 *
 * Runs in the process that calls it; report.h does so in a child. The process gets SIGPROF when reading comes no
 * further for much processor time.
 */

#include "client/decode-child.h"
#include "client/report.h"

typedef struct ReportSegment {
        char *name; /* "segment 2 of 3", for messages; owned; NULL where there is only one */
        int fd;     /* owned */
} ReportSegment;

/* Reads and prints; keeps *phase up to date. 0, -EPIPE when nobody reads `out` any more, or fills `error`. */
int report_stream(const ReportOptions *options, const ReportSegment *segments, size_t n_segments, FILE *out,
                  volatile DecodePhase *phase, Error *error);
