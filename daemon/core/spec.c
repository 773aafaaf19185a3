/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/async-close.h"
#include "core/event.h"
#include "core/parse.h"
#include "core/spec-options.h"
#include "core/suggestion.h"
#include "core/text.h"

#define PID_LIMIT 4194304 /* PID_MAX_LIMIT of 64-bit kernels (include/linux/threads.h, 5.15) */

typedef struct KeyInfo KeyInfo;

struct KeyInfo {
        const char *name;
        SpecType type;
        /* Checks the value, whose type is right, and stores it. */
        int (*set)(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
        size_t offset;                      /* of the member that numbers, booleans and strings are stored in */
        uint64_t min, max;                  /* numbers: the range. Lists: max is the number of entries. */
        bool zero;                          /* 0 is allowed besides the range: no limit */
        bool (*is_valid)(const char *text); /* strings */
};

static int set_string(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_boolean(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_number(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_events(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_filters(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_pids(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_pidfds(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_cpus(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_options(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);
static int set_output(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error);

static const KeyInfo key_table[_SPEC_KEY_MAX] = {
        [SPEC_PROFILE] = { .name = "profile",
                           .type = SPEC_TYPE_STRING,
                           .set = set_string,
                           .offset = offsetof(Spec, profile),
                           .is_valid = name_is_valid },
        [SPEC_EVENTS] = { .name = "events", .type = SPEC_TYPE_STRINGS, .set = set_events, .max = SPEC_EVENTS_MAX },
        [SPEC_FILTERS] = { .name = "filters", .type = SPEC_TYPE_MAP, .set = set_filters, .max = SPEC_FILTERS_MAX },
        [SPEC_PIDS] = { .name = "pids", .type = SPEC_TYPE_NUMBERS, .set = set_pids, .max = SPEC_PIDS_MAX },
        [SPEC_PIDFDS] = { .name = "pidfds", .type = SPEC_TYPE_FDS, .set = set_pidfds, .max = SPEC_PIDFDS_MAX },
        [SPEC_CHILDREN] = { .name = "children",
                            .type = SPEC_TYPE_BOOLEAN,
                            .set = set_boolean,
                            .offset = offsetof(Spec, children) },
        [SPEC_CPUS] = { .name = "cpus", .type = SPEC_TYPE_STRING, .set = set_cpus },
        [SPEC_CLOCK] = { .name = "clock",
                         .type = SPEC_TYPE_STRING,
                         .set = set_string,
                         .offset = offsetof(Spec, clock),
                         .is_valid = clock_is_valid },
        [SPEC_BUFFER_SIZE] = { .name = "buffer_size",
                               .type = SPEC_TYPE_SIZE,
                               .set = set_number,
                               .offset = offsetof(Spec, buffer_size),
                               .min = SPEC_BUFFER_SIZE_MIN,
                               .max = SPEC_BUFFER_SIZE_MAX },
        [SPEC_OPTIONS] = { .name = "options",
                           .type = SPEC_TYPE_STRINGS,
                           .set = set_options,
                           .max = SPEC_OPTIONS_MAX },
        [SPEC_SEGMENT_SIZE] = { .name = "segment_size",
                                .type = SPEC_TYPE_SIZE,
                                .set = set_number,
                                .offset = offsetof(Spec, segment_size),
                                .min = SPEC_SEGMENT_SIZE_MIN,
                                .max = SPEC_SEGMENT_SIZE_MAX },
        [SPEC_SEGMENT_AGE] = { .name = "segment_age",
                               .type = SPEC_TYPE_SPAN,
                               .set = set_number,
                               .offset = offsetof(Spec, segment_age),
                               .min = SPEC_SPAN_MIN,
                               .max = SPEC_SPAN_MAX,
                               .zero = true },
        [SPEC_SEGMENTS] = { .name = "segments",
                            .type = SPEC_TYPE_UNSIGNED,
                            .set = set_number,
                            .offset = offsetof(Spec, segments),
                            .min = 1,
                            .max = SPEC_SEGMENTS_MAX,
                            .zero = true },
        [SPEC_DURATION] = { .name = "duration",
                            .type = SPEC_TYPE_SPAN,
                            .set = set_number,
                            .offset = offsetof(Spec, duration),
                            .min = SPEC_SPAN_MIN,
                            .max = SPEC_SPAN_MAX,
                            .zero = true },
        [SPEC_SYMBOLS] = { .name = "symbols",
                           .type = SPEC_TYPE_BOOLEAN,
                           .set = set_boolean,
                           .offset = offsetof(Spec, symbols) },
        [SPEC_ATTACHED] = { .name = "attached",
                            .type = SPEC_TYPE_BOOLEAN,
                            .set = set_boolean,
                            .offset = offsetof(Spec, attached) },
        [SPEC_OUTPUT] = { .name = "output", .type = SPEC_TYPE_FD, .set = set_output },
};

static bool is_given(const Spec *spec, SpecKey key) {
        return spec->given & (1U << key);
}

static int out_of_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
}

const char *spec_key_name(SpecKey key) {
        return key_table[key].name;
}

SpecType spec_key_type(SpecKey key) {
        return key_table[key].type;
}

int spec_key_from_name(const char *name, Error *error, SpecKey *ret) {
        Suggestion suggestion;

        suggestion_init(&suggestion, name);
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                if (strcmp(key_table[key].name, name) == 0) {
                        *ret = (SpecKey) key;
                        return 0;
                }
                suggestion_consider(&suggestion, key_table[key].name);
        }
        if (suggestion_best(&suggestion))
                return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\"; did you mean \"%s\"?",
                                 TEXT_ESCAPE(name), suggestion_best(&suggestion));
        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\"", TEXT_ESCAPE(name));
}

int spec_new(Spec **ret) {
        Spec *spec = calloc(1, sizeof(*spec));

        if (!spec)
                return -ENOMEM;
        spec->output = -1;
        *ret = spec;
        return 0;
}

void spec_free(Spec *spec) {
        if (!spec)
                return;
        free(spec->profile);
        strv_free(spec->events);
        for (size_t i = 0; i < spec->n_filters; i++) {
                free(spec->filters[i].pattern);
                free(spec->filters[i].expression);
        }
        free(spec->filters);
        free(spec->pids);
        if (spec->n_pidfds > 0)
                async_close(spec->pidfds, spec->n_pidfds);
        free(spec->pidfds);
        cpu_list_clear(&spec->cpus);
        free(spec->clock);
        strv_free(spec->options);
        if (spec->output >= 0)
                async_close(&spec->output, 1);
        free(spec);
}

static int set_string(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        char *copy;

        if (!info->is_valid(value->string))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: \"%s\" is not a valid name", info->name,
                                 TEXT_ESCAPE(value->string));
        copy = strdup(value->string);
        if (!copy)
                return out_of_memory(error);
        *(char **) ((char *) spec + info->offset) = copy;
        return 0;
}

static int set_boolean(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        *(bool *) ((char *) spec + info->offset) = value->boolean;
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

static int set_number(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
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
        *(uint64_t *) ((char *) spec + info->offset) = number;
        return 0;
}

static int check_count(const KeyInfo *info, size_t n, Error *error) {
        if (n > info->max)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %zu entries, at most %zu are taken", info->name,
                                 n, (size_t) info->max);
        return 0;
}

static int set_events(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, strv_length(value->strings), error);

        for (char *const *pattern = value->strings; r == 0 && pattern && *pattern; pattern++) {
                r = event_pattern_check(*pattern, error);
                if (r < 0)
                        error_prefix(error, "%s", info->name);
        }
        if (r < 0)
                return r;
        if (strv_copy(value->strings, &spec->events) < 0)
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

static SpecFilter *find_filter(const Spec *spec, const char *pattern) {
        for (size_t i = 0; i < spec->n_filters; i++)
                if (strcmp(spec->filters[i].pattern, pattern) == 0)
                        return spec->filters + i;
        return NULL;
}

static int add_filter(Spec *spec, const char *pattern, const char *expression) {
        SpecFilter *grown = reallocarray(spec->filters, spec->n_filters + 1, sizeof(*grown));
        CLEANUP_FREE char *own_pattern = strdup(pattern), *own_expression = strdup(expression);

        if (grown)
                spec->filters = grown;
        if (!grown || !own_pattern || !own_expression)
                return -ENOMEM;
        grown[spec->n_filters++] = (SpecFilter){
                .pattern = STEAL_PTR(own_pattern),
                .expression = STEAL_PTR(own_expression),
        };
        return 0;
}

static int set_filters(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, strv_length(value->strings) / 2, error);

        for (char *const *s = value->strings; r == 0 && s && *s; s += 2) {
                r = check_filter(s[0], s[1], error);
                if (r == 0 && find_filter(spec, s[0]))
                        r = error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has two filters", TEXT_ESCAPE(s[0]));
                if (r < 0)
                        error_prefix(error, "%s", info->name);
                else if (add_filter(spec, s[0], s[1]) < 0)
                        r = out_of_memory(error);
        }
        return r;
}

static int set_pids(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
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

static int append_fds(Spec *spec, const int *fds, size_t n) {
        int *grown = reallocarray(spec->pidfds, spec->n_pidfds + n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        spec->pidfds = grown;
        for (size_t i = 0; i < n; i++) {
                int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

                if (copy < 0)
                        return -errno;
                spec->pidfds[spec->n_pidfds++] = copy;
        }
        return 0;
}

static int set_pidfds(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, value->n_fds, error);

        if (r < 0)
                return r;
        r = append_fds(spec, value->fds, value->n_fds);
        if (r < 0)
                return error_set_errno(error, r, "%s: cannot keep the descriptors", info->name);
        return 0;
}

static int set_cpus(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        int r = cpu_list_parse(value->string, error, &spec->cpus);

        if (r < 0)
                error_prefix(error, "%s", info->name);
        return r;
}

static int set_options(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        int r = check_count(info, strv_length(value->strings), error);

        for (char *const *option = value->strings; r == 0 && option && *option; option++) {
                r = spec_option_check(*option, error);
                if (r < 0)
                        error_prefix(error, "%s", info->name);
        }
        if (r < 0)
                return r;
        if (strv_copy(value->strings, &spec->options) < 0)
                return out_of_memory(error);
        return 0;
}

static int set_output(Spec *spec, const KeyInfo *info, const SpecValue *value, Error *error) {
        spec->output = fcntl(value->fds[0], F_DUPFD_CLOEXEC, 3);
        if (spec->output < 0)
                return error_set_errno(error, -errno, "%s: cannot keep the descriptor", info->name);
        return 0;
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
        const KeyInfo *info = key_table + key;
        int r;

        if (is_given(spec, key))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: given twice", info->name);
        if (!type_fits(info->type, value->has))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be %s", info->name,
                                 spec_type_describe(info->type));
        r = info->set(spec, info, value, error);
        if (r < 0)
                return r;
        spec->given |= 1U << key;
        return 0;
}

static int append_strings(char ***to, char *const *from) {
        int r = 0;

        for (; r == 0 && from && *from; from++)
                r = strv_append(to, *from);
        return r;
}

static int replace_string(char **to, const char *from) {
        char *copy;

        if (!from)
                return 0;
        copy = strdup(from);
        if (!copy)
                return -ENOMEM;
        free(*to);
        *to = copy;
        return 0;
}

static int append_pids(Spec *to, const Spec *from) {
        pid_t *grown = reallocarray(to->pids, to->n_pids + from->n_pids + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        to->pids = grown;
        if (from->n_pids > 0)
                memcpy(grown + to->n_pids, from->pids, from->n_pids * sizeof(*grown));
        to->n_pids += from->n_pids;
        return 0;
}

static int replace_filters(Spec *to, const Spec *from) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < from->n_filters; i++) {
                SpecFilter *filter = find_filter(to, from->filters[i].pattern);

                r = filter ? replace_string(&filter->expression, from->filters[i].expression)
                           : add_filter(to, from->filters[i].pattern, from->filters[i].expression);
        }
        return r;
}

static int replace_cpus(Spec *to, const Spec *from) {
        CpuList copy = { 0 };
        int r;

        if (from->cpus.n_cpus == 0)
                return 0;
        r = cpu_list_copy(&from->cpus, &copy);
        if (r < 0)
                return r;
        cpu_list_clear(&to->cpus);
        to->cpus = copy;
        return 0;
}

static int replace_output(Spec *to, const Spec *from) {
        int copy;

        if (from->output < 0)
                return 0;
        copy = fcntl(from->output, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        if (to->output >= 0)
                (void) close(to->output);
        to->output = copy;
        return 0;
}

/* Takes over the numbers and booleans of those keys whose bits are in `keys`. */
static void replace_plain(Spec *to, const Spec *from, uint32_t keys) {
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                size_t offset = key_table[key].offset;

                if (!(keys & (1U << key)))
                        continue;
                if (key_table[key].set == set_boolean)
                        *(bool *) ((char *) to + offset) = *(const bool *) ((const char *) from + offset);
                else if (key_table[key].set == set_number)
                        *(uint64_t *) ((char *) to + offset) = *(const uint64_t *) ((const char *) from + offset);
        }
}

/* Puts what `from` has on top of `to`. Numbers and booleans can be there without having been given, since
 * defaults are filled in: `keys` says which of them count. */
static int lay_over(Spec *to, const Spec *from, uint32_t keys) {
        int r = replace_string(&to->profile, from->profile);

        if (r == 0)
                r = append_strings(&to->events, from->events);
        if (r == 0)
                r = replace_filters(to, from);
        if (r == 0)
                r = append_pids(to, from);
        if (r == 0)
                r = append_fds(to, from->pidfds, from->n_pidfds);
        if (r == 0)
                r = replace_cpus(to, from);
        if (r == 0)
                r = replace_string(&to->clock, from->clock);
        if (r == 0)
                r = append_strings(&to->options, from->options);
        if (r == 0)
                r = replace_output(to, from);
        if (r < 0)
                return r;
        replace_plain(to, from, keys);
        to->given |= from->given;
        return 0;
}

int spec_copy(const Spec *spec, Spec **ret) {
        CLEANUP(spec_freep) Spec *copy = NULL;
        int r = spec_new(&copy);

        if (r == 0)
                r = lay_over(copy, spec, UINT32_MAX);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(copy);
        return 0;
}

int spec_merge(const Spec *base, const Spec *over, Spec **ret) {
        CLEANUP(spec_freep) Spec *merged = NULL;
        int r = spec_copy(base, &merged);

        if (r == 0)
                r = lay_over(merged, over, over->given);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(merged);
        return 0;
}
