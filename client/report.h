/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The verb report: prints what trace.dat files hold, the segments of one capture as one stream.
 *
 * Files come from anywhere, and libtracecmd and libtraceevent (1.3.1, 1.7.1) do not withstand hostile ones.
 * So a child process decodes and prints, without the client's connections; a file on which it dies becomes
 * an error like any other, and what was printed up to there stays printed.
 */

#include <stdio.h>

#include "client/record-filter.h"
#include "core/error.h"

/* Finds the segments of what is no file: a capture or a session. The caller frees the array and closes the
 * descriptors, which are in the order of time. */
typedef int (*ReportOpenSegments)(const char *name, void *userdata, int **ret_fds, size_t *ret_n_fds, Error *error);

typedef struct ReportOptions {
        const char *source; /* a path where it has a slash or such a file is there, else a name; borrowed */
        ReportOpenSegments open_segments; /* NULL: only files can be reported */
        void *userdata;
        RecordSelection selection;
        uint64_t first; /* only so many records from the start; 0: all */
        uint64_t last;  /* only so many up to the end; 0: all; not both */
        uint64_t top;   /* of a summary: tasks that are listed; 0: all */
        bool summary;   /* numbers, and no records */
        bool json;      /* one object a line */
        bool pretty;    /* JSON with line breaks and indentation */
        bool color;
        bool nanoseconds;
} ReportOptions;

#define REPORT_TOP_DEFAULT 10U
#define REPORT_OPTIONS_INIT ((ReportOptions){ .top = REPORT_TOP_DEFAULT })

void report_options_clear(ReportOptions *options);

/* Prints to `out`, which must have a descriptor. A reader that goes away (EPIPE) ends it without an error.
 * No message has the name of the source; it begins with the segment's number where there are several. */
int report_run(const ReportOptions *options, FILE *out, Error *error);
