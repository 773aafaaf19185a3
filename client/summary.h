/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Summary: what a capture holds, in numbers: its span, events by kind, CPU and task, and what was lost.
 *
 * Lost events are those that the ring buffer's pages tell of, so they belong to a place in the stream; where
 * the kernel knew that it lost some but not how many, the number counts as a lower bound.
 *
 * Life cycle: summary_new(); summary_begin_segment() for each file, summary_lose() for each of its records
 * and summary_add() for those that are wanted; summary_print(); summary_free().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/decoder.h"

typedef struct Summary Summary;

int summary_new(Summary **ret);
void summary_free(Summary *summary);
DEFINE_POINTER_CLEANUP(Summary, summary_free);

void summary_begin_segment(Summary *summary);
/* Both 0 or -ENOMEM. */
int summary_add(Summary *summary, const DecoderRecord *record, bool has_time);
int summary_lose(Summary *summary, const DecoderRecord *record);

typedef struct SummaryPrint {
        const char *name; /* of what was summed up */
        size_t top;       /* tasks that are listed, the busiest ones; 0: all */
        bool json;        /* one object (docs: ktracectl report --summary --json), else tables */
        bool pretty;
} SummaryPrint;

/* 0 or -ENOMEM; write errors stay in the stream. */
int summary_print(const Summary *summary, const SummaryPrint *how, FILE *out);
