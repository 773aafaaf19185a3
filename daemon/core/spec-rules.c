/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What follows from a whole spec: is it consistent, whom may it share a source with, what must the caller
 * be allowed to do. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/hist-trigger.h"
#include "core/overhead-guard.h"
#include "core/probe.h"
#include "core/spec-options.h"
#include "core/spec-private.h"
#include "core/sql-query.h"
#include "core/synthetic-event.h"
#include "core/trigger.h"
#include "core/watch-spec.h"

/* Merging appends: the limits hold for the result, too. */
static size_t count(const Spec *spec, SpecKey key) {
        const SpecKeyInfo *info = spec_key_table + key;
        Spec *source = (Spec *) spec; /* only read */

        if (info->set == spec_set_strings)
                return strv_length(*spec_strings_at(source, info));
        if (info->set == spec_set_fds)
                return spec_fds_at(source, info)->n_fds;
        if (key == SPEC_FILTERS)
                return spec->n_filters;
        return key == SPEC_PIDS ? spec->n_pids : 0;
}

static int check_counts(const Spec *spec, Error *error) {
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++)
                if (count(spec, (SpecKey) key) > spec_key_max((SpecKey) key))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %zu entries, at most %zu are taken",
                                         spec_key_name((SpecKey) key), count(spec, (SpecKey) key),
                                         spec_key_max((SpecKey) key));
        return 0;
}

/* The events that the session makes for itself, and what records them. */
static int check_own_events(const Spec *spec, Error *error) {
        int r = probes_check(spec->probes, spec->probe_files.n_fds, error);

        if (r >= 0)
                r = sql_queries_check(spec->sql, spec->probes, error);
        if (r >= 0)
                r = synthetic_events_check(spec->synthetic_events, spec->sql, spec->probes, error);
        return r < 0 ? r : hist_triggers_check(spec->histograms, spec->synthetic_events, error);
}

/* A ring writes nothing until a snapshot, which is one segment. */
static int check_mode(const Spec *spec, Error *error) {
        static const SpecKey of_streams[] = { SPEC_SEGMENT_SIZE, SPEC_SEGMENT_AGE, SPEC_SEGMENTS, SPEC_OUTPUT };

        if (!spec_is_ring(spec) && spec_is_given(spec, SPEC_RING_SIZE))
                return error_set(error, ERROR_INVALID_ARGUMENT, "ring_size: only with mode \"ring\"");
        if (!spec_is_ring(spec) && spec_is_given(spec, SPEC_WINDOW))
                return error_set(error, ERROR_INVALID_ARGUMENT, "window: only with mode \"ring\"");
        if (spec_is_given(spec, SPEC_WINDOW) && spec_is_given(spec, SPEC_BUFFER_SIZE))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "window: not with buffer_size, which follows from it; ring_size is the most");
        if (spec_is_given(spec, SPEC_RING_SIZE) && spec_is_given(spec, SPEC_BUFFER_SIZE))
                return error_set(error, ERROR_INVALID_ARGUMENT, "ring_size: not with buffer_size");
        for (size_t i = 0; spec_is_ring(spec) && i < ELEMENTSOF(of_streams); i++)
                if (spec_is_given(spec, of_streams[i]))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "%s: not with mode \"ring\", which writes in snapshots only",
                                         spec_key_name(of_streams[i]));
        return 0;
}

int spec_validate(const Spec *spec, Error *error) {
        static const SpecKey rotation[] = { SPEC_SEGMENT_SIZE, SPEC_SEGMENT_AGE, SPEC_SEGMENTS };
        int r = check_counts(spec, error);

        if (r < 0)
                return r;
        r = check_mode(spec, error);
        if (r >= 0)
                r = spec_check_scope(spec, error);
        if (r < 0)
                return r;
        r = spec_check_tracer(spec, error);
        if (r < 0)
                return r;
        r = check_own_events(spec, error);
        if (r >= 0)
                r = watches_check(spec->watches, spec_is_ring(spec), error);
        if (r < 0)
                return r;
        if (strv_length(spec->events) == 0 && strv_length(spec->probes) == 0 && strv_length(spec->histograms) == 0 &&
            strv_length(spec->sql) == 0 && !spec_has_tracer(spec))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "events: at least one is needed, or a tracer, a probe, a query, or a histogram");
        if (spec->children && !spec_has_processes(spec))
                return error_set(error, ERROR_INVALID_ARGUMENT, "children: needs pids, pidfds, unit or user");
        for (size_t i = 0; spec_is_given(spec, SPEC_OUTPUT) && i < ELEMENTSOF(rotation); i++)
                if (spec_is_given(spec, rotation[i]))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: not with output, which is one segment",
                                         spec_key_name(rotation[i]));
        return 0;
}

bool spec_has_own_event(const Spec *spec, const char *name) {
        return probes_have(spec->probes, name) || sql_queries_have(spec->sql, name) ||
               synthetic_events_have(spec->synthetic_events, name, NULL);
}

bool spec_is_ring(const Spec *spec) {
        return spec->mode && strcmp(spec->mode, SPEC_MODE_RING) == 0;
}

bool spec_has_group(const Spec *spec) {
        return spec->unit || spec_is_given(spec, SPEC_USER);
}

bool spec_follows_children(const Spec *spec) {
        return spec->children || spec_has_group(spec);
}

bool spec_has_processes(const Spec *spec) {
        return spec_is_given(spec, SPEC_PIDS) || spec_is_given(spec, SPEC_PIDFDS) || spec_has_group(spec);
}

/* Writes the patterns so that lists that select the same in another order give the same text: order counts
 * only between those that add and those that take back. */
static int write_events(FILE *stream, char *const *events) {
        CLEANUP(strv_freep) char **sorted = NULL;
        size_t n;
        int r = strv_copy(events, &sorted);

        if (r < 0)
                return r;
        n = strv_length(sorted);
        for (size_t start = 0, end; start < n; start = end) {
                char *after, *previous = NULL;

                end = start;
                while (end < n && (sorted[end][0] == '!') == (sorted[start][0] == '!'))
                        end++;
                /* A run of one kind becomes a list of its own for the moment. */
                after = sorted[end];
                sorted[end] = NULL;
                strv_sort(sorted + start);
                sorted[end] = after;
                for (size_t i = start; i < end; i++) {
                        if (!previous || strcmp(previous, sorted[i]) != 0)
                                (void) fprintf(stream, "event %s\n", sorted[i]);
                        previous = sorted[i];
                }
        }
        return 0;
}

static int compare_filters(const void *a, const void *b) {
        return strcmp((*(const SpecFilter *const *) a)->pattern, (*(const SpecFilter *const *) b)->pattern);
}

static int write_filters(FILE *stream, const Spec *spec) {
        CLEANUP_FREE const SpecFilter **sorted = calloc(spec->n_filters + 1, sizeof(SpecFilter *));

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < spec->n_filters; i++)
                sorted[i] = spec->filters + i;
        qsort(sorted, spec->n_filters, sizeof(SpecFilter *), compare_filters);
        for (size_t i = 0; i < spec->n_filters; i++)
                (void) fprintf(stream, "filter %s %s\n", sorted[i]->pattern, sorted[i]->expression);
        return 0;
}

static int write_options(FILE *stream, const Spec *spec) {
        CLEANUP(strv_freep) char **effective = NULL;
        int r = spec_options_effective(spec->options, &effective);

        if (r < 0)
                return r;
        for (char **option = effective; *option; option++)
                (void) fprintf(stream, "option %s\n", *option);
        return 0;
}

static int write_strings(FILE *stream, const char *what, char *const *strings) {
        CLEANUP(strv_freep) char **sorted = NULL;
        int r = strv_copy(strings, &sorted);

        if (r < 0)
                return r;
        strv_sort(sorted);
        for (char **string = sorted; *string; string++)
                (void) fprintf(stream, "%s %s\n", what, *string);
        return 0;
}

static int write_tracer(FILE *stream, const Spec *spec) {
        int r;

        if (!spec_has_tracer(spec))
                return 0;
        (void) fprintf(stream, "tracer %s\nfunction_stacks %d\nall_functions %d\n", spec->tracer,
                       spec->function_stacks, spec->all_functions);
        (void) fprintf(stream, "graph_depth %llu\n", (unsigned long long) spec->graph_depth);
        r = write_strings(stream, "function", spec->functions);
        if (r >= 0)
                r = write_strings(stream, "function_notrace", spec->functions_notrace);
        if (r >= 0)
                r = write_strings(stream, "graph_function", spec->graph_functions);
        return r < 0 ? r : write_strings(stream, "graph_notrace", spec->graph_notrace);
}

static int write_cpus(FILE *stream, const Spec *spec) {
        CLEANUP_FREE char *cpus = NULL;
        int r = cpu_list_format(&spec->cpus, &cpus);

        if (r < 0)
                return r;
        (void) fprintf(stream, "cpus %s\n", cpus);
        return 0;
}

bool spec_has_overhead_limit(const Spec *spec) {
        return spec->max_event_rate > 0 || spec->max_cpu_share > 0;
}

/* What is left out of it would be missing in every session that shares the source. */
static bool may_be_thinned(const Spec *spec) {
        return spec_has_overhead_limit(spec) && spec->overhead_policy &&
               overhead_policy_from_string(spec->overhead_policy) == OVERHEAD_THIN;
}

/* A line for each thing; no text of a spec has a line break in it, so that no two specs can read alike. */
int spec_source_key(const Spec *spec, char **ret) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size = 0;
        int r;

        if (spec_has_processes(spec) || spec->output >= 0 || spec_is_ring(spec) || spec->probes || spec->triggers ||
            spec->histograms || spec->sql || spec->synthetic_events || may_be_thinned(spec)) {
                *ret = NULL;
                return 0;
        }
        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        (void) fprintf(stream, "clock %s\nbuffer_size %llu\nsymbols %d\n", spec->clock ? spec->clock : "",
                       (unsigned long long) spec->buffer_size, spec->symbols);
        r = write_cpus(stream, spec);
        if (r == 0)
                r = write_events(stream, spec->events);
        if (r == 0)
                r = write_filters(stream, spec);
        if (r == 0)
                r = write_options(stream, spec);
        if (r == 0)
                r = write_tracer(stream, spec);
        if (r < 0)
                return r;
        if (fclose(STEAL_PTR(stream)) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(text);
        return 0;
}

unsigned spec_powers(const Spec *spec) {
        unsigned powers = POWER_TRACE_SYSTEM;

        if (spec_is_self(spec))
                return POWER_TRACE_SELF;
        if (spec_has_tracer(spec) || spec_options_trace_stacks(spec->options) ||
            triggers_record_stacks(spec->triggers) || hist_triggers_show_functions(spec->histograms) ||
            synthetic_events_record_stacks(spec->synthetic_events))
                powers |= POWER_TRACE_FUNCTIONS;
        if (spec_needs_symbols(spec) || spec_options_show_addresses(spec->options) ||
            hist_triggers_show_functions(spec->histograms))
                powers |= POWER_KERNEL_ADDRESSES;
        if (spec->probes || spec->sql || spec->synthetic_events || watches_define_events(spec->watches))
                powers |= POWER_DEFINE_PROBES;
        return powers;
}
