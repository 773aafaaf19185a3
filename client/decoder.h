/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Decoder: one opened trace.dat file, whose records come in the order of time over all CPUs and buffers.
 *
 * Reading goes through libtracecmd, which seeks in and maps the file; it must be a regular file. The file's
 * skeleton is looked at first (trace-file.h). What lies below it, the library takes as it is: whoever must
 * outlive a hostile file decodes it in a process of its own, as report.h does.
 *
 * What is recorded just now comes in pages, with a file that has no records but describes them: decoder_go_live(),
 * then pages as they come, and decoder_next() gives those records which are not later than the limit.
 *
 * Life cycle: decoder_open(); decoder_next() until it returns 0; decoder_free().
 */

#include <stdbool.h>
#include <stdint.h>

#include <trace-cmd.h>

#include "core/error.h"
#include "ktraced/cleanup.h"

typedef struct Decoder Decoder;

/* Borrowed from the decoder until the next call of decoder_next(). */
typedef struct DecoderRecord {
        struct tep_handle *tep;
        struct tep_event *event; /* NULL: its format is not in the file */
        struct tep_record *record;
        const char *instance; /* name of the trace instance; "" for the main buffer */
        int pid;
        const char *comm; /* never NULL */
        /* Events that the kernel lost on this CPU right before this one; -1 where it does not say how many. */
        int64_t lost;
} DecoderRecord;

/* `fd` is duplicated and stays the caller's; its file position is moved. Fails as trace_file_scan() does; no
 * message has the name of the file. */
int decoder_open(int fd, Error *error, Decoder **ret);
void decoder_free(Decoder *decoder);
DEFINE_POINTER_CLEANUP(Decoder, decoder_free);

/* 1 and the next record, or 0 at the end. */
int decoder_next(Decoder *decoder, DecoderRecord *ret);

/* From here on, printing a record of function_graph for a call that returns at once takes the record of the
 * return, too: decoder_next() passes it over. Without it, each of them stands for itself. */
void decoder_fold_calls(Decoder *decoder);

/* Nothing is read from the file any more. */
void decoder_go_live(Decoder *decoder);
/* A page of the kernel's ring buffer; *ret_last is the time stamp of its last record, unchanged when it has none.
 * -EBADMSG, also for a CPU that the file does not have. */
int decoder_add_page(Decoder *decoder, unsigned cpu, const void *page, size_t size, uint64_t *ret_last);
/* The next record of a page that is added comes behind so many others that are missing. */
void decoder_add_lost(Decoder *decoder, unsigned cpu, uint64_t events);
/* A time stamp; before it is set there is none. */
void decoder_set_limit(Decoder *decoder, uint64_t limit);
/* Replaces the name that the task had. -ENOMEM. */
int decoder_set_comm(Decoder *decoder, int pid, const char *comm);

struct tep_handle *decoder_tep(Decoder *decoder);
/* Time stamps are nanoseconds, and not a counter's ticks. */
bool decoder_has_time(const Decoder *decoder);
