/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ReportStream: the records of several segments one after another, those that are wanted, to one receiver.
 * What --last and times relative to the capture's ends need is found by reading everything once before.
 *
 * Runs in the process that calls it; report.h does so in a child.
 */

#include "client/report.h"

typedef struct ReportSegment {
        char *name; /* for messages; owned */
        int fd;     /* owned */
} ReportSegment;

/* Reads and prints. 0, -EPIPE when nobody reads `out` any more, or fills `error`. */
int report_stream(const ReportOptions *options, const ReportSegment *segments, size_t n_segments, FILE *out,
                  Error *error);
