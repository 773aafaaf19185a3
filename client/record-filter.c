/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "client/record-filter.h"
#include "core/event.h"
#include "core/parse.h"
#include "core/spec.h"
#include "core/strv.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define EVENT_IDS 65536U /* common_type has 16 bits */

struct RecordFilter {
        const RecordSelection *selection;
        bool *events; /* by common_type, EVENT_IDS of them; NULL: all */
        struct tep_event_filter **filters;
        size_t n_filters;
        uint64_t since, until;
};

static int parse_seconds(const char *text, uint64_t *ret_ns) {
        uint64_t ns = 0;
        size_t digits = strspn(text, "0123456789");
        const char *fraction = text + digits;

        if (digits == 0)
                return -EINVAL;
        for (const char *p = text; p < fraction; p++)
                if (__builtin_mul_overflow(ns, 10, &ns) || __builtin_add_overflow(ns, (uint64_t) (*p - '0'), &ns))
                        return -ERANGE;
        if (__builtin_mul_overflow(ns, NSEC_PER_SEC, &ns))
                return -ERANGE;
        if (*fraction == '.') {
                uint64_t unit = NSEC_PER_SEC / 10;

                digits = strspn(++fraction, "0123456789");
                if (digits == 0 || digits > 9)
                        return -EINVAL;
                for (size_t i = 0; i < digits; i++, unit /= 10)
                        if (__builtin_add_overflow(ns, (uint64_t) (fraction[i] - '0') * unit, &ns))
                                return -ERANGE;
                fraction += digits;
        }
        if (*fraction != '\0')
                return -EINVAL;
        *ret_ns = ns;
        return 0;
}

int time_bound_parse(const char *text, TimeBound *ret) {
        TimeBound bound = { .kind = TIME_BOUND_ABSOLUTE };
        uint64_t usec;
        int r;

        if (*text == '+' || *text == '-') {
                bound.kind = *text == '+' ? TIME_BOUND_AFTER_START : TIME_BOUND_BEFORE_END;
                r = parse_span(text + 1, &usec);
                if (r < 0)
                        return r;
                if (__builtin_mul_overflow(usec, 1000, &bound.ns))
                        return -ERANGE;
        } else {
                r = parse_seconds(text, &bound.ns);
                if (r < 0)
                        return r;
        }
        *ret = bound;
        return 0;
}

void record_selection_clear(RecordSelection *selection) {
        strv_free(selection->events);
        cpu_list_clear(&selection->cpus);
        free(selection->pids);
        strv_free(selection->comms);
        strv_free(selection->filters);
        *selection = (RecordSelection){};
}

void record_filter_free(RecordFilter *filter) {
        if (!filter)
                return;
        for (size_t i = 0; i < filter->n_filters; i++)
                tep_filter_free(filter->filters[i]);
        free(filter->filters);
        free(filter->events);
        free(filter);
}

static int no_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "out of memory");
}

/* What the file knows, in the form of available_events. */
static int list_events(struct tep_handle *tep, Error *error, EventList *ret) {
        struct tep_event **events = tep_list_events(tep, TEP_EVENT_SORT_SYSTEM);
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size;
        int r;

        stream = open_memstream(&text, &size);
        if (!stream)
                return no_memory(error);
        for (; events && *events; events++)
                fprintf(stream, "%s:%s\n", (*events)->system, (*events)->name);
        r = fclose(stream);
        stream = NULL;
        if (r != 0)
                return no_memory(error);
        r = event_list_parse(text, ret);
        return r < 0 ? error_set_errno(error, r, "the file's list of events cannot be read") : 0;
}

/* A session's rules for naming events hold for a report too. */
static int resolve(char **patterns, const EventList *list, Error *error, EventSelection *ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = spec_new(&spec);

        if (r < 0)
                return no_memory(error);
        r = spec_set(spec, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = patterns }, error);
        return r < 0 ? r : event_selection_resolve(spec, list, error, ret);
}

static int choose_events(RecordFilter *filter, struct tep_handle *tep, Error *error) {
        CLEANUP(event_selection_clear) EventSelection chosen = {};
        CLEANUP(event_list_clear) EventList list = {};
        int r;

        r = list_events(tep, error, &list);
        if (r < 0)
                return r;
        r = resolve(filter->selection->events, &list, error, &chosen);
        if (r < 0)
                return r;
        filter->events = calloc(EVENT_IDS, sizeof(*filter->events));
        if (!filter->events)
                return no_memory(error);
        for (size_t i = 0; i < chosen.n_choices; i++) {
                const EventChoice *choice = &chosen.choices[i];
                struct tep_event *event = tep_find_event_by_name(tep, choice->system, choice->name);

                if (event && event->id >= 0 && (unsigned) event->id < EVENT_IDS)
                        filter->events[event->id] = true;
        }
        return 0;
}

/* libtraceevent takes a comparison with a field that the event does not have for a false one, and operators
 * that it does not know (the kernel's ~) as it likes. An expression of which nothing else remains for any event
 * was not meant. */
static bool can_match(struct tep_event_filter *compiled, struct tep_handle *tep) {
        struct tep_event **events = tep_list_events(tep, TEP_EVENT_SORT_SYSTEM);

        for (; events && *events; events++) {
                CLEANUP_FREE char *text = tep_filter_make_string(compiled, (*events)->id);

                if (text && strcmp(text, "FALSE") != 0 && !strstr(text, "[ERROR"))
                        return true;
        }
        return false;
}

static int add_filters(RecordFilter *filter, struct tep_handle *tep, Error *error) {
        char *const *expressions = filter->selection->filters;

        filter->filters = calloc(strv_length(expressions), sizeof(struct tep_event_filter *));
        if (!filter->filters)
                return no_memory(error);
        for (size_t i = 0; expressions[i]; i++) {
                struct tep_event_filter *compiled = tep_filter_alloc(tep);
                int r;

                if (!compiled)
                        return no_memory(error);
                filter->filters[filter->n_filters++] = compiled;
                r = tep_filter_add_filter_str(compiled, expressions[i]);
                if (r < 0) {
                        char reason[256] = "";

                        (void) tep_filter_strerror(compiled, r, reason, sizeof(reason));
                        return error_set(error, ERROR_BAD_FILTER, "filter \"%s\": %s%s", expressions[i], reason,
                                         r == TEP_ERRNO__EVENT_NOT_FOUND ? "; the form is 'EVENT: CONDITION'" : "");
                }
                if (!can_match(compiled, tep))
                        return error_set(
                                error, ERROR_BAD_FILTER,
                                "filter \"%s\": nothing can match; fields of the event are compared with ==, "
                                "!=, <, <=, >, >=, and strings also with =~ and a regular expression",
                                expressions[i]);
        }
        return 0;
}

int record_filter_new(const RecordSelection *selection, Decoder *decoder, Error *error, RecordFilter **ret) {
        CLEANUP(record_filter_freep) RecordFilter *filter = NULL;
        struct tep_handle *tep = decoder_tep(decoder);
        int r = 0;

        filter = calloc(1, sizeof(*filter));
        if (!filter)
                return no_memory(error);
        filter->selection = selection;
        filter->until = UINT64_MAX;
        if ((selection->since.kind != TIME_BOUND_NONE || selection->until.kind != TIME_BOUND_NONE) &&
            !decoder_has_time(decoder))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "its clock counts no time, so it cannot be cut by time");
        if (selection->events)
                r = choose_events(filter, tep, error);
        if (r >= 0 && selection->filters)
                r = add_filters(filter, tep, error);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(filter);
        return 0;
}

void record_filter_set_window(RecordFilter *filter, uint64_t since, uint64_t until) {
        filter->since = since;
        filter->until = until;
}

static bool has_pid(const RecordSelection *selection, int pid) {
        for (size_t i = 0; i < selection->n_pids; i++)
                if (selection->pids[i] == pid)
                        return true;
        return selection->n_pids == 0;
}

static bool has_comm(const RecordSelection *selection, const char *comm) {
        if (!selection->comms)
                return true;
        for (char **glob = selection->comms; *glob; glob++)
                if (fnmatch(*glob, comm, 0) == 0)
                        return true;
        return false;
}

static bool passes_filters(const RecordFilter *filter, const DecoderRecord *record) {
        for (size_t i = 0; i < filter->n_filters; i++)
                if (tep_filter_match(filter->filters[i], record->record) == TEP_ERRNO__FILTER_MATCH)
                        return true;
        return filter->n_filters == 0;
}

static bool has_event(const RecordFilter *filter, const DecoderRecord *record) {
        int id;

        if (!filter->events)
                return true;
        id = tep_data_type(record->tep, record->record);
        return id >= 0 && (unsigned) id < EVENT_IDS && filter->events[id];
}

RecordMatch record_filter_match(RecordFilter *filter, const DecoderRecord *record) {
        const RecordSelection *selection = filter->selection;

        if (record->record->ts < filter->since || record->record->ts > filter->until)
                return RECORD_OUTSIDE;
        if (selection->cpus.n_cpus > 0 && !cpu_list_contains(&selection->cpus, (unsigned) record->record->cpu))
                return RECORD_OUTSIDE;
        if (has_pid(selection, record->pid) && has_event(filter, record) && has_comm(selection, record->comm) &&
            passes_filters(filter, record))
                return RECORD_WANTED;
        return RECORD_COVERED;
}

bool record_filter_is_past(const RecordFilter *filter, const DecoderRecord *record) {
        return record->record->ts > filter->until;
}
