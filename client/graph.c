/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/graph.h"

#include <inttypes.h>
#include <string.h>

#include "ktraced/cleanup.h"

#define INDENT 2
/* No kernel nests so deep (FTRACE_RETFUNC_DEPTH is 50, and one page of return addresses since 6.11): the depth
 * of a damaged record must not become a line of blanks. */
#define DEPTH_MAX 1024U
#define DURATION_WIDTH 7
#define DURATION_DIGITS_MAX UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

/* The first that holds counts. */
static const struct {
        uint64_t above; /* nanoseconds */
        char mark;
} overheads[] = {
        { UINT64_C(1000000000), '$' },
        { UINT64_C(1000000), '#' },
        { UINT64_C(100000), '!' },
        { UINT64_C(10000), '+' },
};

static bool read_field(struct tep_event *event, const char *field, struct tep_record *record, uint64_t *ret) {
        unsigned long long value;

        if (tep_get_field_val(NULL, event, field, record, &value, 0) < 0)
                return false;
        *ret = value;
        return true;
}

bool graph_is_return(struct tep_event *entry_event, struct tep_record *entry, struct tep_event *exit_event,
                     struct tep_record *next) {
        struct tep_handle *tep = entry_event->tep;
        uint64_t called, returned;

        return tep_data_type(tep, next) == exit_event->id && tep_data_pid(tep, next) == tep_data_pid(tep, entry) &&
               read_field(entry_event, "func", entry, &called) && read_field(exit_event, "func", next, &returned) &&
               called == returned;
}

static bool read_duration(struct tep_event *event, struct tep_record *record, uint64_t *ret) {
        uint64_t start, end;

        if (!read_field(event, "calltime", record, &start) || !read_field(event, "rettime", record, &end))
                return false;
        *ret = end - start;
        return true;
}

bool graph_duration(struct tep_event *event, struct tep_record *record, uint64_t *ret) {
        return strcmp(event->name, GRAPH_EXIT) == 0 && strcmp(event->system, GRAPH_SYSTEM) == 0 &&
               read_duration(event, record, ret);
}

static void print_duration(struct trace_seq *seq, uint64_t duration) {
        uint64_t usec = duration / NSEC_PER_USEC;
        char mark = ' ';
        int n;

        for (size_t i = 0; mark == ' ' && i < ELEMENTSOF(overheads); i++)
                if (duration > overheads[i].above)
                        mark = overheads[i].mark;
        (void) trace_seq_printf(seq, "%c ", mark);
        n = trace_seq_printf(seq, "%" PRIu64, usec);
        if (usec < DURATION_DIGITS_MAX)
                n += trace_seq_printf(seq, ".%03" PRIu64, duration % NSEC_PER_USEC);
        (void) trace_seq_printf(seq, " us %*s|  ", n < DURATION_WIDTH ? DURATION_WIDTH - n : 0, "");
}

void graph_print_entry(struct trace_seq *seq, struct tep_event *entry_event, struct tep_record *entry,
                       struct tep_event *exit_event, struct tep_record *leaf) {
        uint64_t duration, depth, function;
        const char *name;

        if (leaf && read_duration(exit_event, leaf, &duration))
                print_duration(seq, duration);
        else
                (void) trace_seq_puts(seq, "             |  ");
        if (!read_field(entry_event, "depth", entry, &depth) || !read_field(entry_event, "func", entry, &function)) {
                (void) trace_seq_putc(seq, '!');
                return;
        }
        if (depth > DEPTH_MAX)
                depth = DEPTH_MAX;
        (void) trace_seq_printf(seq, "%*s", (int) depth * INDENT, "");
        name = tep_find_function(entry_event->tep, function);
        if (name)
                (void) trace_seq_puts(seq, name);
        else
                (void) trace_seq_printf(seq, "%" PRIx64, function);
        (void) trace_seq_puts(seq, leaf ? "();" : "() {");
}
