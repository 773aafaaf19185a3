/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RenderText: records as lines for people, in the columns of trace-cmd report:
 *
 *               comm-pid   [cpu]     seconds: event:                info
 *
 * and "CPU:n [m EVENTS DROPPED]" where the kernel lost some. Lines for a trace instance other than the main
 * buffer have its name in front. Control characters are written as \xNN.
 *
 * Life cycle: render_text_init(), render_text_record() for each, render_text_clear(). Write errors stay in
 * the stream, for the caller to look at with ferror(3).
 */

#include <stdbool.h>
#include <stdio.h>

#include <trace-seq.h>

#include "client/decoder.h"

typedef struct RenderText {
        FILE *out;        /* borrowed */
        bool color;       /* ANSI sequences */
        bool nanoseconds; /* nine digits after the point, and not six */
        struct trace_seq info;
} RenderText;

void render_text_init(RenderText *render, FILE *out, bool color, bool nanoseconds);
void render_text_clear(RenderText *render);
/* A line for a record whose `lost` is not 0, to stand before its own. */
void render_text_lost(RenderText *render, const DecoderRecord *record);
/* `has_time`: the decoder's decoder_has_time(). */
void render_text_record(RenderText *render, const DecoderRecord *record, bool has_time);

/* The event's own text, without a newline at its end, in `seq`, which is reset before; valid until then. */
const char *render_info(struct trace_seq *seq, const DecoderRecord *record, size_t *ret_n);
