/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TraceFormats: the texts of the running kernel that a reader needs to decode its pages, as they stand
 * in the head of a trace.dat file. Plain data, read by kernel/formats.h, written by capture/segment.h;
 * immutable once collected.
 */

#include <stddef.h>
#include <stdint.h>

#include "ktraced/cleanup.h"

typedef struct TraceText {
        char *data; /* owned; NUL-terminated behind `size` */
        size_t size;
} TraceText;

typedef struct TraceSystemFormats {
        char *system;
        TraceText *formats; /* one per event */
        size_t n_formats;
} TraceSystemFormats;

typedef struct TraceFormats {
        TraceText header_page;
        TraceText header_event;
        TraceText *ftrace; /* the formats of the system "ftrace" */
        size_t n_ftrace;
        TraceSystemFormats *systems;
        size_t n_systems;
        TraceText printk;
        TraceText kallsyms; /* size 0: no symbol table */
        uint32_t page_size; /* of a ring buffer page (sub-buffer), from header_page */
} TraceFormats;

int trace_formats_new(TraceFormats **ret); /* everything empty */
void trace_formats_free(TraceFormats *formats);
DEFINE_POINTER_CLEANUP(TraceFormats, trace_formats_free);

/* commit field's offset + its size + the data's size: the page size that header_page describes. */
int trace_formats_parse_page_size(const char *header_page, uint32_t *ret);
