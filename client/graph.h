/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Graph: the calls that the function_graph tracer records as trace-cmd report draws them, a tree in the columns
 *
 *      overhead duration |  function
 *
 * libtracecmd draws it, too, but a call that returns at once becomes one line there by looking at the record
 * that follows, which it finds in an iteration of its own: what reads each CPU by itself, as Decoder does to
 * merge files, would get other lines.
 */

#include <stdbool.h>
#include <stdint.h>

#include <event-parse.h>
#include <trace-seq.h>

#define GRAPH_SYSTEM "ftrace"
#define GRAPH_ENTRY "funcgraph_entry"
#define GRAPH_EXIT "funcgraph_exit"

/* Whether `next` is the return from the call that `entry` tells of. The events are those of the two. */
bool graph_is_return(struct tep_event *entry_event, struct tep_record *entry, struct tep_event *exit_event,
                     struct tep_record *next);

/* The info column of a call. `leaf` is its return when that follows immediately, or NULL. */
void graph_print_entry(struct trace_seq *seq, struct tep_event *entry_event, struct tep_record *entry,
                       struct tep_event *exit_event, struct tep_record *leaf);

/* Of a return, in the units of the trace's clock; false for any other record. */
bool graph_duration(struct tep_event *event, struct tep_record *record, uint64_t *ret);
