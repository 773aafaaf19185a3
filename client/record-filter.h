/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RecordSelection: which records of a capture are wanted, as the user said it. Plain data.
 * RecordFilter: the same, prepared for one opened file, where events have numbers.
 *
 * Life cycle: fill a zero-initialised RecordSelection, free it with record_selection_clear().
 * record_filter_new() for each decoder, record_filter_set_window() when the selection has times,
 * record_filter_match() for each record, record_filter_free() before the decoder's end.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/decoder.h"
#include "core/cpu-list.h"

typedef enum TimeBoundKind {
        TIME_BOUND_NONE,
        TIME_BOUND_ABSOLUTE,    /* "1020.911": a time stamp as the report prints it */
        TIME_BOUND_AFTER_START, /* "+5s": a span after the capture's first record */
        TIME_BOUND_BEFORE_END,  /* "-5s": a span before its last one */
} TimeBoundKind;

typedef struct TimeBound {
        TimeBoundKind kind;
        uint64_t ns;
} TimeBound;

/* Seconds with at most nine digits after the point, or a sign and a span (parse_span()). -EINVAL, -ERANGE. */
int time_bound_parse(const char *text, TimeBound *ret);

typedef struct RecordSelection {
        char **events; /* patterns, see core/event.h; NULL: all */
        CpuList cpus;  /* empty: all */
        int *pids;     /* none: all */
        size_t n_pids;
        char **comms;           /* globs, fnmatch(3), any of which matches; NULL: all */
        char **filters;         /* expressions "event: condition", any of which matches; NULL: all */
        TimeBound since, until; /* both inclusive */
} RecordSelection;

void record_selection_clear(RecordSelection *selection);

typedef enum RecordMatch {
        RECORD_OUTSIDE, /* of the selected time or CPUs */
        RECORD_COVERED, /* within them, but not selected itself; that events were lost there is of interest */
        RECORD_WANTED,
} RecordMatch;

typedef struct RecordFilter RecordFilter;

/* The selection and the decoder are borrowed. ERROR_NO_SUCH_EVENT names a pattern that no event in the file
 * matches; ERROR_BAD_FILTER holds the expression and libtraceevent's reason; ERROR_INVALID_ARGUMENT where
 * times are asked for and the file's clock counts something else. */
int record_filter_new(const RecordSelection *selection, Decoder *decoder, Error *error, RecordFilter **ret);
void record_filter_free(RecordFilter *filter);
DEFINE_POINTER_CLEANUP(RecordFilter, record_filter_free);

/* Time stamps, in nanoseconds, from `since` up to and with `until`. */
void record_filter_set_window(RecordFilter *filter, uint64_t since, uint64_t until);
RecordMatch record_filter_match(RecordFilter *filter, const DecoderRecord *record);
/* The record is later than everything that can match; nothing of this capture need be read any more. */
bool record_filter_is_past(const RecordFilter *filter, const DecoderRecord *record);
