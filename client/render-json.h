/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RenderJson: records as JSON (RFC 8259), one object a line (or indented ones). The keys:
 *
 *   timestamp  string   seconds with nine digits, exactly ("1020.911021345"); where the clock counts no
 *                       time, its count. No number, since 64 bits do not fit into a double.
 *   cpu, pid   number
 *   comm       string
 *   system, event       strings; null for an event whose format is not in the file
 *   instance   string   only for records of a trace instance other than the main buffer
 *   fields     object   the event's own fields: integers (exact, up to 64 bits), strings, arrays of integers;
 *                       null for one that lies outside its record
 *   info       string   the text that the lines for people have
 *
 * Events that the kernel lost stand before the record that they would have preceded, as an object with
 * timestamp (of that record), cpu, instance and `lost`: their number, or null when it is not known.
 * All strings are valid UTF-8; bytes that are none are written as the four characters \xNN.
 *
 * Life cycle: as RenderText.
 */

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json_object.h>
#include <trace-seq.h>

#include "client/decoder.h"

typedef struct RenderJson {
        FILE *out; /* borrowed */
        bool pretty;
        struct trace_seq info;
} RenderJson;

void render_json_init(RenderJson *render, FILE *out, bool pretty);
void render_json_clear(RenderJson *render);
/* Both 0 or -ENOMEM. Write errors stay in the stream. The first is for a record whose `lost` is not 0. */
int render_json_lost(RenderJson *render, const DecoderRecord *record, bool has_time);
int render_json_record(RenderJson *render, const DecoderRecord *record, bool has_time);

/* Valid UTF-8, see above; NULL when out of memory. A NUL must follow the `n` bytes. */
struct json_object *json_string_new(const char *text, size_t n);
/* One object and a newline. Returns 0 or -ENOMEM. */
int json_write(FILE *out, struct json_object *object, bool pretty);
/* Room for the text of a time stamp. */
#define TIMESTAMP_LENGTH 32
char *timestamp_format(uint64_t ts, bool has_time, char buffer[static TIMESTAMP_LENGTH]);
