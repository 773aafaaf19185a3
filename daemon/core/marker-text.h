/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * MarkerText: what a client writes into its marker, cut into lines that are fit for the trace.
 *
 * A line ends with '\n' or where it is longer than the buffer takes; empty lines are left out. What is not printable
 * (text.h) becomes '?', so that a line cannot pretend to be several events or move a terminal's cursor.
 *
 * Life cycle: zeroed; marker_text_space() and marker_text_added() for what is read; marker_text_next() until it gives
 * nothing; marker_text_end() at the end of the input. Nothing is allocated.
 */

#include <stdbool.h>
#include <stddef.h>

#define MARKER_LINE_MAX 900U /* bytes, so that the writer's name and number fit before them */

typedef struct MarkerText {
        char buffer[MARKER_LINE_MAX + 1];
        size_t n;   /* bytes in it */
        bool ended; /* what is left is a line */
} MarkerText;

/* Where to read to, and how many bytes; 0 when marker_text_next() has to be called first. */
char *marker_text_space(MarkerText *text, size_t *ret_size);
void marker_text_added(MarkerText *text, size_t n);
void marker_text_end(MarkerText *text);
/* True: `line` has the next one. */
bool marker_text_next(MarkerText *text, char line[static MARKER_LINE_MAX + 1]);
