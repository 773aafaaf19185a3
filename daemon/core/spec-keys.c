/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The keys: their names, types and ranges, and how a value of each is checked and stored. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/function-pattern.h"
#include "core/hist-trigger.h"
#include "core/overhead-guard.h"
#include "core/parse.h"
#include "core/probe.h"
#include "core/ring-window.h"
#include "core/spec-options.h"
#include "core/spec-private.h"
#include "core/sql-query.h"
#include "core/suggestion.h"
#include "core/synthetic-event.h"
#include "core/text.h"
#include "core/trigger.h"
#include "core/watch-spec.h"

#define PID_LIMIT 4194304 /* PID_MAX_LIMIT of 64-bit kernels (include/linux/threads.h, 5.15) */

static bool mode_is_valid(const char *mode) {
        return strcmp(mode, "stream") == 0 || strcmp(mode, SPEC_MODE_RING) == 0;
}

static int out_of_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
}

int spec_set_string(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        char *copy;

        if (!info->is_valid(value->string))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: \"%s\" is not a valid name", info->name,
                                 TEXT_ESCAPE(value->string));
        copy = strdup(value->string);
        if (!copy)
                return out_of_memory(error);
        *spec_string_at(spec, info) = copy;
        return 0;
}

int spec_set_boolean(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        *spec_boolean_at(spec, info) = value->boolean;
        return 0;
}

/* "64K" or "100ms", as the user would write it. */
static const char *format_number(SpecType type, uint64_t number, char *buffer, size_t size) {
        if (type == SPEC_TYPE_SIZE)
                return format_size(number, buffer, size);
        if (type == SPEC_TYPE_SPAN)
                return format_span(number, buffer, size);
        (void) snprintf(buffer, size, "%llu", (unsigned long long) number);
        return buffer;
}

int spec_set_number(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        uint64_t number = value->number;
        char given[TEXT_ESCAPE_SIZE], least[64], most[64];
        int r = 0;

        if (value->has == SPEC_TYPE_STRING) {
                r = info->type == SPEC_TYPE_SIZE ? parse_size(value->string, &number)
                                                 : parse_span(value->string, &number);
                (void) text_escape(value->string, given, sizeof(given));
        } else
                (void) snprintf(given, sizeof(given), "%llu", (unsigned long long) number);
        if (r == -EINVAL)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: \"%s\" is no %s", info->name, given,
                                 info->type == SPEC_TYPE_SIZE ? "size such as 4M" : "span of time such as 10s");
        if (r < 0 || ((number < info->min || number > info->max) && !(info->zero && number == 0)))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %s is out of range, which is %s to %s%s",
                                 info->name, given, format_number(info->type, info->min, least, sizeof(least)),
                                 format_number(info->type, info->max, most, sizeof(most)),
                                 info->zero ? ", or 0" : "");
        *spec_number_at(spec, info) = number;
        return 0;
}

static int check_count(const SpecKeyInfo *info, size_t n, Error *error) {
        if (n > info->max)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %zu entries, at most %zu are taken", info->name,
                                 n, (size_t) info->max);
        return 0;
}

int spec_check_text(const char *text, Error *error) {
        size_t length = strlen(text);

        if (length > SPEC_TEXT_LENGTH)
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is %zu bytes long, at most %u are taken",
                                 TEXT_ESCAPE(text), length, SPEC_TEXT_LENGTH);
        if (!text_is_printable(text))
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has a control character or bad UTF-8",
                                 TEXT_ESCAPE(text));
        return 0;
}

int spec_set_strings(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, strv_length(value->strings), error);

        for (char *const *string = value->strings; r == 0 && string && *string; string++) {
                r = info->check(*string, error);
                if (r < 0)
                        error_prefix(error, "%s", info->name);
        }
        if (r < 0)
                return r;
        /* An empty list is none: else a spec with it would have a source of its own, and its copy would not. */
        if (strv_length(value->strings) > 0 && strv_copy(value->strings, spec_strings_at(spec, info)) < 0)
                return out_of_memory(error);
        return 0;
}

static int check_filter(const char *pattern, const char *expression, Error *error) {
        size_t length = strlen(expression);
        int r = event_pattern_check(pattern, error);

        if (r < 0)
                return r;
        if (*pattern == '!')
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" begins with '!', which is for events only",
                                 TEXT_ESCAPE(pattern));
        if (length == 0)
                return error_set(error, ERROR_BAD_FILTER, "The filter for \"%s\" is empty", TEXT_ESCAPE(pattern));
        if (length > SPEC_FILTER_LENGTH)
                return error_set(error, ERROR_BAD_FILTER,
                                 "The filter for \"%s\" is %zu bytes long, at most %u are taken",
                                 TEXT_ESCAPE(pattern), length, SPEC_FILTER_LENGTH);
        if (!text_is_printable(expression))
                return error_set(error, ERROR_BAD_FILTER,
                                 "The filter for \"%s\" has a control character or bad UTF-8: \"%s\"",
                                 TEXT_ESCAPE(pattern), TEXT_ESCAPE(expression));
        return 0;
}

static int set_filters(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, strv_length(value->strings) / 2, error);

        for (char *const *s = value->strings; r == 0 && s && *s; s += 2) {
                r = check_filter(s[0], s[1], error);
                if (r == 0 && spec_find_filter(spec, s[0]))
                        r = error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has two filters", TEXT_ESCAPE(s[0]));
                if (r < 0)
                        error_prefix(error, "%s", info->name);
                else if (spec_add_filter(spec, s[0], s[1]) < 0)
                        r = out_of_memory(error);
        }
        return r;
}

static int set_pids(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, value->n_numbers, error);

        if (r < 0)
                return r;
        for (size_t i = 0; i < value->n_numbers; i++)
                if (value->numbers[i] < 1 || value->numbers[i] > PID_LIMIT)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %lld is no process id (1 to %d)",
                                         info->name, (long long) value->numbers[i], PID_LIMIT);
        spec->pids = calloc(value->n_numbers + 1, sizeof(*spec->pids));
        if (!spec->pids)
                return out_of_memory(error);
        for (size_t i = 0; i < value->n_numbers; i++)
                spec->pids[spec->n_pids++] = (pid_t) value->numbers[i];
        return 0;
}

int spec_set_fds(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, value->n_fds, error);

        if (r < 0)
                return r;
        r = spec_fds_append(spec_fds_at(spec, info), value->fds, value->n_fds);
        if (r < 0)
                return error_set_errno(error, r, "%s: cannot keep the descriptors", info->name);
        return 0;
}

static int set_cpus(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        int r = cpu_list_parse(value->string, error, &spec->cpus);

        if (r < 0)
                error_prefix(error, "%s", info->name);
        return r;
}

static int set_output(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error) {
        spec->output = fcntl(value->fds[0], F_DUPFD_CLOEXEC, 3);
        if (spec->output < 0)
                return error_set_errno(error, -errno, "%s: cannot keep the descriptor", info->name);
        return 0;
}

const SpecKeyInfo spec_key_table[_SPEC_KEY_MAX] = {
        [SPEC_PROFILE] = { .name = "profile",
                           .type = SPEC_TYPE_STRING,
                           .set = spec_set_string,
                           .offset = offsetof(Spec, profile),
                           .is_valid = name_is_valid },
        [SPEC_EVENTS] = { .name = "events",
                          .type = SPEC_TYPE_STRINGS,
                          .set = spec_set_strings,
                          .offset = offsetof(Spec, events),
                          .max = SPEC_EVENTS_MAX,
                          .check = event_pattern_check },
        [SPEC_FILTERS] = { .name = "filters", .type = SPEC_TYPE_MAP, .set = set_filters, .max = SPEC_FILTERS_MAX },
        [SPEC_PIDS] = { .name = "pids", .type = SPEC_TYPE_NUMBERS, .set = set_pids, .max = SPEC_PIDS_MAX },
        [SPEC_PIDFDS] = { .name = "pidfds",
                          .type = SPEC_TYPE_FDS,
                          .set = spec_set_fds,
                          .offset = offsetof(Spec, pidfds),
                          .max = SPEC_PIDFDS_MAX },
        [SPEC_CHILDREN] = { .name = "children",
                            .type = SPEC_TYPE_BOOLEAN,
                            .set = spec_set_boolean,
                            .offset = offsetof(Spec, children) },
        [SPEC_CPUS] = { .name = "cpus", .type = SPEC_TYPE_STRING, .set = set_cpus },
        [SPEC_CLOCK] = { .name = "clock",
                         .type = SPEC_TYPE_STRING,
                         .set = spec_set_string,
                         .offset = offsetof(Spec, clock),
                         .is_valid = clock_is_valid },
        [SPEC_BUFFER_SIZE] = { .name = "buffer_size",
                               .type = SPEC_TYPE_SIZE,
                               .set = spec_set_number,
                               .offset = offsetof(Spec, buffer_size),
                               .min = SPEC_BUFFER_SIZE_MIN,
                               .max = SPEC_BUFFER_SIZE_MAX },
        [SPEC_OPTIONS] = { .name = "options",
                           .type = SPEC_TYPE_STRINGS,
                           .set = spec_set_strings,
                           .offset = offsetof(Spec, options),
                           .max = SPEC_OPTIONS_MAX,
                           .check = spec_option_check },
        [SPEC_SEGMENT_SIZE] = { .name = "segment_size",
                                .type = SPEC_TYPE_SIZE,
                                .set = spec_set_number,
                                .offset = offsetof(Spec, segment_size),
                                .min = SPEC_SEGMENT_SIZE_MIN,
                                .max = SPEC_SEGMENT_SIZE_MAX },
        [SPEC_SEGMENT_AGE] = { .name = "segment_age",
                               .type = SPEC_TYPE_SPAN,
                               .set = spec_set_number,
                               .offset = offsetof(Spec, segment_age),
                               .min = SPEC_SPAN_MIN,
                               .max = SPEC_SPAN_MAX,
                               .zero = true },
        [SPEC_SEGMENTS] = { .name = "segments",
                            .type = SPEC_TYPE_UNSIGNED,
                            .set = spec_set_number,
                            .offset = offsetof(Spec, segments),
                            .min = 1,
                            .max = SPEC_SEGMENTS_MAX,
                            .zero = true },
        [SPEC_DURATION] = { .name = "duration",
                            .type = SPEC_TYPE_SPAN,
                            .set = spec_set_number,
                            .offset = offsetof(Spec, duration),
                            .min = SPEC_SPAN_MIN,
                            .max = SPEC_SPAN_MAX,
                            .zero = true },
        [SPEC_SYMBOLS] = { .name = "symbols",
                           .type = SPEC_TYPE_BOOLEAN,
                           .set = spec_set_boolean,
                           .offset = offsetof(Spec, symbols) },
        [SPEC_ATTACHED] = { .name = "attached",
                            .type = SPEC_TYPE_BOOLEAN,
                            .set = spec_set_boolean,
                            .offset = offsetof(Spec, attached) },
        [SPEC_OUTPUT] = { .name = "output", .type = SPEC_TYPE_FD, .set = set_output },
        [SPEC_MODE] = { .name = "mode",
                        .type = SPEC_TYPE_STRING,
                        .set = spec_set_string,
                        .offset = offsetof(Spec, mode),
                        .is_valid = mode_is_valid },
        [SPEC_RING_SIZE] = { .name = "ring_size",
                             .type = SPEC_TYPE_SIZE,
                             .set = spec_set_number,
                             .offset = offsetof(Spec, ring_size),
                             .min = SPEC_BUFFER_SIZE_MIN,
                             .max = SPEC_BUFFER_SIZE_MAX },
        [SPEC_WINDOW] = { .name = "window",
                          .type = SPEC_TYPE_SPAN,
                          .set = spec_set_number,
                          .offset = offsetof(Spec, window),
                          .min = RING_WINDOW_MIN,
                          .max = RING_WINDOW_MAX },
        [SPEC_TRACER] = { .name = "tracer",
                          .type = SPEC_TYPE_STRING,
                          .set = spec_set_string,
                          .offset = offsetof(Spec, tracer),
                          .is_valid = tracer_is_valid },
        [SPEC_FUNCTIONS] = { .name = "functions",
                             .type = SPEC_TYPE_STRINGS,
                             .set = spec_set_strings,
                             .offset = offsetof(Spec, functions),
                             .max = SPEC_FUNCTIONS_MAX,
                             .check = function_pattern_check },
        [SPEC_FUNCTIONS_NOTRACE] = { .name = "functions_notrace",
                                     .type = SPEC_TYPE_STRINGS,
                                     .set = spec_set_strings,
                                     .offset = offsetof(Spec, functions_notrace),
                                     .max = SPEC_FUNCTIONS_MAX,
                                     .check = function_pattern_check },
        [SPEC_GRAPH_FUNCTIONS] = { .name = "graph_functions",
                                   .type = SPEC_TYPE_STRINGS,
                                   .set = spec_set_strings,
                                   .offset = offsetof(Spec, graph_functions),
                                   .max = SPEC_GRAPH_FUNCTIONS_MAX,
                                   .check = function_pattern_check_graph },
        [SPEC_GRAPH_NOTRACE] = { .name = "graph_notrace",
                                 .type = SPEC_TYPE_STRINGS,
                                 .set = spec_set_strings,
                                 .offset = offsetof(Spec, graph_notrace),
                                 .max = SPEC_GRAPH_FUNCTIONS_MAX,
                                 .check = function_pattern_check_graph },
        [SPEC_GRAPH_DEPTH] = { .name = "graph_depth",
                               .type = SPEC_TYPE_UNSIGNED,
                               .set = spec_set_number,
                               .offset = offsetof(Spec, graph_depth),
                               .min = 1,
                               .max = SPEC_GRAPH_DEPTH_MAX,
                               .zero = true },
        [SPEC_ALL_FUNCTIONS] = { .name = "all_functions",
                                 .type = SPEC_TYPE_BOOLEAN,
                                 .set = spec_set_boolean,
                                 .offset = offsetof(Spec, all_functions) },
        [SPEC_FUNCTION_STACKS] = { .name = "function_stacks",
                                   .type = SPEC_TYPE_BOOLEAN,
                                   .set = spec_set_boolean,
                                   .offset = offsetof(Spec, function_stacks) },
        [SPEC_PROBES] = { .name = "probes",
                          .type = SPEC_TYPE_STRINGS,
                          .set = spec_set_strings,
                          .offset = offsetof(Spec, probes),
                          .max = SPEC_PROBES_MAX,
                          .check = probe_check },
        [SPEC_PROBE_FILES] = { .name = "probe_files",
                               .type = SPEC_TYPE_FDS,
                               .set = spec_set_fds,
                               .offset = offsetof(Spec, probe_files),
                               .max = SPEC_PROBES_MAX },
        [SPEC_SYNTHETIC_EVENTS] = { .name = "synthetic_events",
                                    .type = SPEC_TYPE_STRINGS,
                                    .set = spec_set_strings,
                                    .offset = offsetof(Spec, synthetic_events),
                                    .max = SPEC_PROBES_MAX,
                                    .check = synthetic_event_check },
        [SPEC_SQL] = { .name = "sql",
                       .type = SPEC_TYPE_STRINGS,
                       .set = spec_set_strings,
                       .offset = offsetof(Spec, sql),
                       .max = SPEC_PROBES_MAX,
                       .check = sql_query_check },
        [SPEC_TRIGGERS] = { .name = "triggers",
                            .type = SPEC_TYPE_STRINGS,
                            .set = spec_set_strings,
                            .offset = offsetof(Spec, triggers),
                            .max = SPEC_TRIGGERS_MAX,
                            .check = trigger_check },
        [SPEC_HISTOGRAMS] = { .name = "histograms",
                              .type = SPEC_TYPE_STRINGS,
                              .set = spec_set_strings,
                              .offset = offsetof(Spec, histograms),
                              .max = SPEC_TRIGGERS_MAX,
                              .check = hist_trigger_check },
        [SPEC_WATCHES] = { .name = "watches",
                           .type = SPEC_TYPE_STRINGS,
                           .set = spec_set_strings,
                           .offset = offsetof(Spec, watches),
                           .max = SPEC_WATCHES_MAX,
                           .check = watch_check },
        [SPEC_UNIT] = { .name = "unit",
                        .type = SPEC_TYPE_STRING,
                        .set = spec_set_string,
                        .offset = offsetof(Spec, unit),
                        .is_valid = unit_is_valid },
        [SPEC_SCOPE] = { .name = "scope",
                         .type = SPEC_TYPE_STRING,
                         .set = spec_set_string,
                         .offset = offsetof(Spec, scope),
                         .is_valid = spec_scope_is_valid },
        [SPEC_MAX_EVENT_RATE] = { .name = "max_event_rate",
                                  .type = SPEC_TYPE_UNSIGNED,
                                  .set = spec_set_number,
                                  .offset = offsetof(Spec, max_event_rate),
                                  .min = 1,
                                  .max = SPEC_EVENT_RATE_MAX,
                                  .zero = true },
        [SPEC_MAX_CPU_SHARE] = { .name = "max_cpu_share",
                                 .type = SPEC_TYPE_UNSIGNED,
                                 .set = spec_set_number,
                                 .offset = offsetof(Spec, max_cpu_share),
                                 .min = 1,
                                 .max = SPEC_CPU_SHARE_MAX,
                                 .zero = true },
        [SPEC_OVERHEAD_GRACE] = { .name = "overhead_grace",
                                  .type = SPEC_TYPE_SPAN,
                                  .set = spec_set_number,
                                  .offset = offsetof(Spec, overhead_grace),
                                  .min = SPEC_GRACE_MIN,
                                  .max = SPEC_GRACE_MAX },
        [SPEC_OVERHEAD_POLICY] = { .name = "overhead_policy",
                                   .type = SPEC_TYPE_STRING,
                                   .set = spec_set_string,
                                   .offset = offsetof(Spec, overhead_policy),
                                   .is_valid = overhead_policy_is_valid },
        [SPEC_USER] = { .name = "user",
                        .type = SPEC_TYPE_UNSIGNED,
                        .set = spec_set_number,
                        .offset = offsetof(Spec, user),
                        .max = SPEC_USER_MAX },
};

const char *spec_key_name(SpecKey key) {
        return spec_key_table[key].name;
}

SpecType spec_key_type(SpecKey key) {
        return spec_key_table[key].type;
}

int spec_key_from_name(const char *name, Error *error, SpecKey *ret) {
        Suggestion suggestion;

        suggestion_init(&suggestion, name);
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                if (strcmp(spec_key_table[key].name, name) == 0) {
                        *ret = (SpecKey) key;
                        return 0;
                }
                suggestion_consider(&suggestion, spec_key_table[key].name);
        }
        if (suggestion_best(&suggestion))
                return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\"; did you mean \"%s\"?",
                                 TEXT_ESCAPE(name), suggestion_best(&suggestion));
        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\"", TEXT_ESCAPE(name));
}

size_t spec_key_max(SpecKey key) {
        const SpecKeyInfo *info = spec_key_table + key;

        switch (info->type) {
        case SPEC_TYPE_STRINGS:
        case SPEC_TYPE_MAP:
        case SPEC_TYPE_NUMBERS:
        case SPEC_TYPE_FDS:
                return info->max;
        default:
                return 1;
        }
}

const char *spec_type_describe(SpecType type) {
        static const char *const names[] = {
                [SPEC_TYPE_STRING] = "a string",
                [SPEC_TYPE_BOOLEAN] = "a boolean",
                [SPEC_TYPE_UNSIGNED] = "a number from 0 up",
                [SPEC_TYPE_SIZE] = "a size (number of bytes, or a string)",
                [SPEC_TYPE_SPAN] = "a span of time (number of microseconds, or a string)",
                [SPEC_TYPE_STRINGS] = "a list of strings",
                [SPEC_TYPE_MAP] = "a map from string to string",
                [SPEC_TYPE_NUMBERS] = "a list of numbers",
                [SPEC_TYPE_FD] = "a file descriptor",
                [SPEC_TYPE_FDS] = "a list of file descriptors",
        };

        return names[type];
}

static bool is_number(SpecType has) {
        return has == SPEC_TYPE_UNSIGNED || has == SPEC_TYPE_SIZE || has == SPEC_TYPE_SPAN;
}

static bool type_fits(SpecType type, SpecType has) {
        if (is_number(type))
                return is_number(has) || (type != SPEC_TYPE_UNSIGNED && has == SPEC_TYPE_STRING);
        return type == has;
}

int spec_set(Spec *spec, SpecKey key, const SpecValue *value, Error *error) {
        const SpecKeyInfo *info = spec_key_table + key;
        int r;

        if (spec_is_given(spec, key))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: given twice", info->name);
        if (!type_fits(info->type, value->has))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be %s", info->name,
                                 spec_type_describe(info->type));
        r = info->set(spec, info, value, error);
        if (r < 0)
                return r;
        spec->given |= UINT64_C(1) << key;
        return 0;
}
