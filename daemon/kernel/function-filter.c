/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/function-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/function-pattern.h"
#include "core/strv.h"
#include "kernel/functions.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"

/* For each pattern the kernel looks up the name of every function that it has, some 5 ms; with more than so many it
 * is given the positions of the functions in its list instead, which it takes as well (MATCH_INDEX, ftrace.c, 5.1).
 */
#define PATTERNS_BY_NAME 4U

static int refuse(SpecKey key, const char *pattern, int r, Error *error) {
        if (r == -EINVAL)
                return error_set(error, ERROR_NO_SUCH_FUNCTION, "%s: the kernel no longer has \"%s\"",
                                 spec_key_name(key), pattern);
        return error_set(error, ERROR_KERNEL_REFUSED, "%s: the kernel refused \"%s\": %s", spec_key_name(key),
                         pattern, strerror(-r));
}

/* The kernel gathers what is written through one descriptor and lets it take effect when that is closed. */
static int open_filter(Instance *instance, const char *file) {
        int fd = tracefs_instance_file_open(instance->tracefs, file, O_WRONLY | O_TRUNC | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* One pattern or position at a write (ftrace_regex_write(), ftrace.c, 5.15 to 6.18). */
static int write_line(int fd, const char *line) {
        return write(fd, line, strlen(line)) < 0 ? -errno : 0;
}

static int write_names(Instance *instance, const char *file, SpecKey key, char *const *patterns, Error *error) {
        CLEANUP_CLOSE int fd = open_filter(instance, file);

        if (fd < 0)
                return refuse(key, patterns[0], fd, error);
        for (; *patterns; patterns++) {
                CLEANUP_FREE char *line = NULL;
                int r;

                if (asprintf(&line, "%s\n", *patterns) < 0) {
                        line = NULL;
                        return error_set_errno(error, -ENOMEM, "Cannot set the functions");
                }
                r = write_line(fd, line);
                if (r < 0)
                        return refuse(key, *patterns, r, error);
        }
        return 0;
}

static int write_positions(Instance *instance, const char *file, const FunctionList *list, const bool *matched) {
        CLEANUP_CLOSE int fd = open_filter(instance, file);

        if (fd < 0)
                return fd;
        for (size_t i = 0; i < list->n_functions; i++) {
                char line[32];
                int r;

                if (!matched[i])
                        continue;
                (void) snprintf(line, sizeof(line), "%zu\n", list->functions[i].position);
                r = write_line(fd, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare(const FunctionName *a, const FunctionName *b) {
        int r = strcmp(a->name, b->name);

        return r != 0 ? r : strcmp(a->module ? a->module : "", b->module ? b->module : "");
}

/* Does the file hold just the functions that matched? Positions change when a module is unloaded. */
static int is_set(Instance *instance, const char *file, const FunctionList *list, const bool *matched, bool *ret) {
        CLEANUP(function_list_clear) FunctionList set = { 0 };
        size_t n = 0;
        char *text;
        int r;

        r = kernel_text_read_tracefs(instance->tracefs, file, &text, NULL);
        if (r >= 0)
                r = function_list_parse(text, &set);
        if (r < 0)
                return r;
        *ret = false;
        for (size_t i = 0; i < list->n_functions; i++) {
                if (!matched[i])
                        continue;
                if (n == set.n_functions || compare(set.functions + n, list->functions + i) != 0)
                        return 0;
                n++;
        }
        *ret = n == set.n_functions;
        return 0;
}

static int write_many(Instance *instance, const char *file, SpecKey key, char *const *patterns, Error *error) {
        CLEANUP(function_list_clear) FunctionList list = { 0 };
        CLEANUP_FREE bool *matched = NULL;
        bool done = false;
        int r;

        r = functions_read(error, &list);
        if (r < 0)
                return r;
        matched = calloc(list.n_functions + 1, sizeof(*matched));
        if (!matched)
                return error_set_errno(error, -ENOMEM, "Cannot set the functions");
        r = function_patterns_match(patterns, &list, error, matched);
        if (r < 0)
                return r;
        r = write_positions(instance, file, &list, matched);
        if (r >= 0)
                r = is_set(instance, file, &list, matched, &done);
        /* -EINVAL: there are not as many functions any more. */
        if (r < 0 && r != -EINVAL)
                return refuse(key, patterns[0], r, error);
        return done ? 0 : write_names(instance, file, key, patterns, error);
}

static int write_filter(Instance *instance, const char *file, SpecKey key, char *const *patterns, Error *error) {
        size_t n = strv_length(patterns);

        if (n == 0)
                return 0;
        return n > PATTERNS_BY_NAME ? write_many(instance, file, key, patterns, error)
                                    : write_names(instance, file, key, patterns, error);
}

int function_filter_configure(Instance *instance, const Spec *spec, Error *error) {
        int r;

        r = write_filter(instance, "set_ftrace_filter", SPEC_FUNCTIONS, spec->functions, error);
        if (r < 0)
                return r;
        return write_filter(instance, "set_ftrace_notrace", SPEC_FUNCTIONS_NOTRACE, spec->functions_notrace, error);
}
