/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/tracer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "core/suggestion.h"
#include "core/tracer-kind.h"
#include "kernel/features.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/tracing-dir.h"

/* Of "options/" and the longest name in function_options. */
#define OPTION_PATH_SIZE 64

static int refuse_unknown(const Spec *spec, char *const *tracers, Error *error) {
        CLEANUP_FREE char *list = NULL, *purpose = NULL;
        Suggestion suggestion;
        int r;

        if (asprintf(&purpose, "tracer: %s", spec->tracer) < 0)
                return error_set_errno(error, -ENOMEM, "Cannot check the tracer");
        r = features_require(spec->tracer, purpose, error);
        if (r != -EINVAL)
                return r;
        suggestion_init(&suggestion, spec->tracer);
        for (size_t i = 0; tracers && tracers[i]; i++)
                suggestion_consider(&suggestion, tracers[i]);
        if (suggestion_best(&suggestion))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "tracer: the kernel has no tracer \"%s\"; did you mean \"%s\"?", spec->tracer,
                                 suggestion_best(&suggestion));
        r = strv_join(tracers, " ", &list);
        if (r < 0)
                return error_set_errno(error, r, "Cannot check the tracer");
        return error_set(error, ERROR_INVALID_ARGUMENT, "tracer: the kernel has no tracer \"%s\"; it has %s",
                         spec->tracer, list);
}

/* Why a tracer that the kernel has is none for a shared machine, or NULL. */
static const char *reason_against(const char *tracer) {
        /* enter_uniprocessor() in arch/x86/mm/mmio-mod.c; blk_tracer_init() in kernel/trace/blktrace.c (5.15 to 6.18)
         */
        static const char *const reasons[][2] = {
                { "mmiotrace", "takes all CPUs but one from the whole machine" },
                { "blk", "records what is switched on for each device below /sys/block; the events of the system "
                         "\"block\" tell the same" },
        };

        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (strcmp(reasons[i][0], tracer) == 0)
                        return reasons[i][1];
        return NULL;
}

int tracer_list(Error *error, char ***ret) {
        CLEANUP(strv_freep) char **tracers = NULL, **usable = NULL;
        int r;

        r = tracing_dir_list_tracers(&tracers);
        for (size_t i = 0; r >= 0 && tracers && tracers[i]; i++)
                if (!reason_against(tracers[i]))
                        r = strv_append(&usable, tracers[i]);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of tracers");
        *ret = STEAL_PTR(usable);
        return 0;
}

int tracer_check(const Spec *spec, Error *error) {
        CLEANUP(strv_freep) char **tracers = NULL;
        int r;

        if (!spec->tracer)
                return 0;
        r = tracing_dir_list_tracers(&tracers);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of tracers");
        if (!strv_contains(tracers, spec->tracer))
                return refuse_unknown(spec, tracers, error);
        if (reason_against(spec->tracer))
                return error_set(error, ERROR_NOT_SUPPORTED, "tracer: %s %s", spec->tracer,
                                 reason_against(spec->tracer));
        return 0;
}

int tracer_fits_instance(Instance *instance, const Spec *spec, Error *error, bool *ret) {
        CLEANUP(strv_freep) char **tracers = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        if (!spec->tracer) {
                *ret = true;
                return 0;
        }
        r = kernel_text_read_tracefs(instance->tracefs, "available_tracers", &text, NULL);
        if (r >= 0)
                r = strv_split(text, " \n", &tracers);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the tracers of %s", instance->name);
        *ret = strv_contains(tracers, spec->tracer);
        return 0;
}

/* The options of the tracer "function" (func_opts in trace_functions.c). The kernel has one variable for all
 * instances, but an instance looks at it only when its tracer is set, or when the option is changed through the
 * instance's own file while that tracer runs there (func_set_flag(), 5.15 to 6.18). */
static const char *const function_options[] = { "func_stack_trace", "func-no-repeats", "func-args" };

typedef struct OptionStates {
        bool on[ELEMENTSOF(function_options)];
        bool exists[ELEMENTSOF(function_options)];
} OptionStates;

static bool is_off(const char *option, const char *name) {
        return strncmp(option, "no", 2) == 0 && strcmp(option + 2, name) == 0;
}

bool tracer_has_option(const Spec *spec, const char *option) {
        if (!spec->tracer || strcmp(spec->tracer, "function") != 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(function_options); i++)
                if (strcmp(option, function_options[i]) == 0 || is_off(option, function_options[i]))
                        return true;
        return false;
}

static OptionStates wanted_options(const Spec *spec) {
        OptionStates states = { .on[0] = spec->function_stacks };

        for (size_t i = 1; i < ELEMENTSOF(function_options); i++)
                for (char **option = spec->options; option && *option; option++)
                        if (strcmp(*option, function_options[i]) == 0)
                                states.on[i] = true;
                        else if (is_off(*option, function_options[i]))
                                states.on[i] = false;
        return states;
}

static int option_path(size_t i, char *path, size_t size) {
        int n = snprintf(path, size, "options/%s", function_options[i]);

        return n < 0 || (size_t) n >= size ? -ENAMETOOLONG : 0;
}

static int read_options(Instance *instance, OptionStates *ret) {
        OptionStates states = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(function_options); i++) {
                CLEANUP_FREE char *text = NULL;
                char path[OPTION_PATH_SIZE];
                int r = option_path(i, path, sizeof(path));

                if (r >= 0)
                        r = kernel_text_read_tracefs(instance->tracefs, path, &text, NULL);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                states.exists[i] = true;
                states.on[i] = text[0] == '1';
        }
        *ret = states;
        return 0;
}

/* Writes those in which `to` is different from `from`. */
static int write_options(Instance *instance, const OptionStates *from, const OptionStates *to) {
        for (size_t i = 0; i < ELEMENTSOF(function_options); i++) {
                char path[OPTION_PATH_SIZE];
                int r = option_path(i, path, sizeof(path));

                if (from->on[i] == to->on[i])
                        continue;
                if (r >= 0 && tracefs_instance_file_write(instance->tracefs, path, to->on[i] ? "1" : "0") < 0)
                        r = -errno;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Through another instance, in which the tracer does not run and which therefore changes nothing but the
 * variable. */
static int restore_options(Instance *instance, const OptionStates *from, const OptionStates *to, Error *error) {
        CLEANUP_FREE char *name = NULL;
        Instance *other;
        int r;

        if (memcmp(from->on, to->on, sizeof(from->on)) == 0)
                return 0;
        if (asprintf(&name, "%s-options", instance->name + strlen(INSTANCE_PREFIX)) < 0) {
                name = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot restore the options of the tracer");
        }
        r = instance_create(name, error, &other);
        if (r < 0)
                return r;
        r = write_options(other, from, to);
        (void) instance_destroy(other);
        if (r < 0)
                return error_set_errno(error, r, "Cannot restore the options of the tracer");
        return 0;
}

static int refuse_tracer(const Instance *instance, const Spec *spec, int r, Error *error) {
        /* tracing_set_tracer() looks at nothing else there (trace.c, 5.15 to 6.18). */
        if (r == -EBUSY && !instance->tracefs)
                return error_set(error, ERROR_BUSY,
                                 "The top-level trace buffer is in use by another program: trace_pipe is being read");
        if (r == -EBUSY)
                return error_set(error, ERROR_BUSY, "tracer: %s runs already, and the kernel lets it run only once",
                                 spec->tracer);
        return error_set(error, ERROR_KERNEL_REFUSED, "tracer: the kernel refused \"%s\": %s", spec->tracer,
                         strerror(-r));
}

static int start(Instance *instance, const Spec *spec, Error *error) {
        if (tracefs_instance_file_write(instance->tracefs, "current_tracer", spec->tracer) < 0)
                return refuse_tracer(instance, spec, -errno, error);
        return 0;
}

static int start_function(Instance *instance, const Spec *spec, Error *error) {
        OptionStates before, wanted = wanted_options(spec);
        int r, restored;

        r = read_options(instance, &before);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the options of the tracer");
        for (size_t i = 0; i < ELEMENTSOF(function_options); i++)
                if (wanted.on[i] && !before.exists[i])
                        return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                         "tracer: the kernel has no option \"%s\"", function_options[i]);
        r = write_options(instance, &before, &wanted);
        if (r < 0)
                (void) error_set(error, ERROR_KERNEL_REFUSED, "tracer: the kernel refused its options: %s",
                                 strerror(-r));
        else
                r = start(instance, spec, error);
        restored = restore_options(instance, &wanted, &before, error);
        return r < 0 ? r : restored;
}

/* At each new maximum a latency tracer swaps the buffer for another, which it keeps and shows as text only, and what
 * we had not read goes with it. A maximum that no latency exceeds makes it record one after the other instead. The
 * tracer begins with 0 (__wakeup_tracer_init() and others, 5.15 to 6.18), hence after its start; tracing is still
 * off. */
static int keep_buffer(Instance *instance, Error *error) {
        char text[32];

        /* In microseconds, of which the kernel makes nanoseconds in an unsigned long. */
        (void) snprintf(text, sizeof(text), "%lu", ULONG_MAX / 1000);
        if (tracefs_instance_file_write(instance->tracefs, "tracing_max_latency", text) < 0)
                return error_set_errno(error, -errno, "Cannot keep the tracer from swapping the buffer of %s",
                                       instance->name);
        return 0;
}

int tracer_configure(Instance *instance, const Spec *spec, Error *error) {
        bool fits = false;
        int r;

        if (!spec_has_tracer(spec))
                return 0;
        r = tracer_fits_instance(instance, spec, error, &fits);
        if (r < 0)
                return r;
        if (!fits)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "tracer: %s cannot run in a trace instance of this kernel", spec->tracer);
        if (strcmp(spec->tracer, "function") == 0)
                return start_function(instance, spec, error);
        r = start(instance, spec, error);
        if (r >= 0 && tracer_kind(spec->tracer) == TRACER_LATENCY)
                r = keep_buffer(instance, error);
        return r;
}
