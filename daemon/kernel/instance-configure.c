/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/filter.h"
#include "core/strv.h"
#include "kernel/error-log.h"
#include "kernel/event-finder.h"
#include "kernel/function-filter.h"
#include "kernel/graph.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/tracer.h"

static int write_file(Instance *instance, const char *path, const char *text) {
        return tracefs_instance_file_write(instance->tracefs, path, text) < 0 ? -errno : 0;
}

static int configure_clock(Instance *instance, const Spec *spec, Error *error) {
        char *clock;
        int r;

        /* Writing it takes as long as all the rest, also when it changes nothing. */
        if (!spec->clock || strcmp(spec->clock, instance->clock) == 0)
                return 0;
        clock = strdup(spec->clock);
        if (!clock)
                return error_set_errno(error, -ENOMEM, "Cannot set the clock");
        r = write_file(instance, "trace_clock", clock);
        if (r < 0) {
                free(clock);
                return error_set(error, ERROR_KERNEL_REFUSED, "clock: the kernel refused \"%s\": %s", spec->clock,
                                 strerror(-r));
        }
        free(instance->clock);
        instance->clock = clock;
        return 0;
}

int instance_resize(Instance *instance, uint64_t size, Error *error) {
        uint64_t kilobytes = size / 1024 + (size % 1024 != 0);
        int r;

        if (tracefs_instance_set_buffer_size(instance->tracefs, kilobytes, -1) < 0) {
                r = -errno;
                if (r == -ENOMEM)
                        return error_set(error, ERROR_NO_MEMORY,
                                         "buffer_size: the kernel has no memory for %" PRIu64
                                         " KiB for each of %zu CPUs",
                                         kilobytes, instance->cpus.n_cpus);
                return error_set_errno(error, r, "buffer_size: the kernel refused %" PRIu64 " KiB", kilobytes);
        }
        r = instance_read_buffer_size(instance);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the buffer size of %s", instance->name);
        return 0;
}

static int configure_buffer(Instance *instance, const Spec *spec, Error *error) {
        return spec->buffer_size == 0 ? 0 : instance_resize(instance, spec->buffer_size, error);
}

/* Through the instance's own options directory: trace_options would also take the options that an instance
 * has no file for, and change the top level with them. */
static int set_option(Instance *instance, const char *name, bool on) {
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "options/%s", name) < 0)
                return -ENOMEM;
        return write_file(instance, path, on ? "1" : "0");
}

/* An instance begins with what the top level has at that time, which anyone may have changed. */
static int configure_default_options(Instance *instance, const Spec *spec, Error *error) {
        const struct {
                const char *name;
                bool on;
        } defaults[] = {
                { "overwrite", true },
                { "markers", true },
                { "event-fork", spec_follows_children(spec) || instance->is_limited },
                { "function-fork", spec_follows_children(spec) && spec_records_functions(spec) },
                { "function-trace", spec_records_functions(spec) },
                { "stacktrace", false },
                { "userstacktrace", false },
                { "pause-on-trace", false },
                { "disable_on_free", false },
                { "copy_trace_marker", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(defaults); i++) {
                int r = set_option(instance, defaults[i].name, defaults[i].on);

                /* An option that the kernel does not have is off. */
                if (r == -ENOENT && !defaults[i].on)
                        continue;
                if (r == -ENOENT)
                        return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                         "The kernel has no option \"%s\" for trace instances", defaults[i].name);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot set the option \"%s\"", defaults[i].name);
        }
        return 0;
}

static const char *base_name(const char *option) {
        return strncmp(option, "no", 2) == 0 ? option + 2 : option;
}

/* The options of a tracer are one variable for all instances (struct tracer_flags, trace.h, 5.15 to 6.18), and
 * would stay changed. With nop as the present tracer they are those that trace_options does not list. */
static bool belongs_to_instance(char *const *own, const char *option) {
        for (; own && *own; own++)
                if (strcmp(base_name(*own), base_name(option)) == 0)
                        return true;
        return false;
}

static int read_own_options(Instance *instance, char ***ret) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = kernel_text_read_tracefs(instance->tracefs, "trace_options", &text, NULL);
        return r < 0 ? r : strv_split(text, "\n", ret);
}

static int configure_options(Instance *instance, const Spec *spec, Error *error) {
        CLEANUP(strv_freep) char **own = NULL;
        int r;

        r = configure_default_options(instance, spec, error);
        if (r < 0)
                return r;
        r = read_own_options(instance, &own);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the options of %s", instance->name);
        for (size_t i = 0; spec->options && spec->options[i]; i++) {
                const char *option = spec->options[i];

                if (tracer_has_option(spec, option) || graph_has_option(spec, option))
                        continue;
                if (!belongs_to_instance(own, option))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "options: \"%s\" is for a tracer that the session does not use", option);
                r = set_option(instance, option, true);
                if (r == -ENOENT && strncmp(option, "no", 2) == 0)
                        r = set_option(instance, option + 2, false);
                if (r == -ENOENT)
                        return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                         "options: the kernel has no option \"%s\" for trace instances", option);
                if (r < 0)
                        return error_set(error, ERROR_KERNEL_REFUSED, "options: the kernel refused \"%s\": %s",
                                         option, strerror(-r));
        }
        return 0;
}

static int configure_cpus(Instance *instance, const Spec *spec, Error *error) {
        CLEANUP_FREE char *mask = NULL;
        int r;

        if (spec->cpus.n_cpus == 0)
                return 0;
        r = cpu_list_format_mask(&spec->cpus, &mask);
        if (r >= 0 && tracefs_instance_set_affinity_raw(instance->tracefs, mask) < 0)
                r = -errno;
        if (r < 0)
                return error_set_errno(error, r, "cpus: cannot limit tracing to them");
        return 0;
}

/* The kernel's own words when it has some: it logs what is wrong with a filter, and only there. */
static int refuse_filter(Instance *instance, const EventChoice *choice, int r, Error *error) {
        CLEANUP_FREE char *log = NULL, *reason = NULL;

        log = r == -EINVAL ? tracefs_error_all(instance->tracefs) : NULL;
        if (log && error_log_parse_last(log, &reason) >= 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the filter of %s:%s: %s",
                                 choice->system, choice->name, reason);
        return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the filter of %s:%s: %s", choice->system,
                         choice->name, strerror(-r));
}

static int configure_filters(Instance *instance, const EventSelection *selection, Error *error) {
        for (size_t i = 0; i < selection->n_choices; i++) {
                const EventChoice *choice = &selection->choices[i];

                if (!choice->filter)
                        continue;
                /* A new instance has an empty log, and only one write fails: the newest entry is ours. */
                if (tracefs_event_file_write(instance->tracefs, choice->system, choice->name, "filter",
                                             choice->filter) < 0)
                        return refuse_filter(instance, choice, -errno, error);
        }
        return 0;
}

int instance_set_own_filter(Instance *instance, const char *system, const char *name, const SpecFilter *filter,
                            Error *error) {
        CLEANUP(event_fields_clear) EventFields fields = { 0 };
        int r;

        r = event_fields_read(system, name, error, &fields);
        if (r < 0)
                return r;
        r = filter_check(filter->expression, fields.fields, fields.n_fields, error);
        if (r < 0) {
                error_prefix(error, "filters: %s", filter->pattern);
                return r;
        }
        if (tracefs_event_file_write(instance->tracefs, system, name, "filter", filter->expression) < 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the filter of \"%s\": %s",
                                 filter->pattern, strerror(errno));
        return 0;
}

static int refuse_events(const char *system, const char *name, int r, Error *error) {
        if (r == -ENOENT || r == -ENODEV)
                return error_set(error, ERROR_NO_SUCH_EVENT, "The kernel no longer has the event %s:%s", system,
                                 name);
        return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused to enable %s:%s: %s", system, name,
                         strerror(-r));
}

/* Not tracefs_event_enable(): it takes regular expressions and looks at every system for each call. */
static int configure_events(Instance *instance, const EventSelection *selection, Error *error) {
        int r;

        for (size_t i = 0; selection->whole_systems && selection->whole_systems[i]; i++) {
                CLEANUP_FREE char *path = NULL;

                if (asprintf(&path, "events/%s/enable", selection->whole_systems[i]) < 0)
                        return error_set_errno(error, -ENOMEM, "Cannot enable the events");
                r = write_file(instance, path, "1");
                if (r < 0)
                        return refuse_events(selection->whole_systems[i], "*", r, error);
        }
        for (size_t i = 0; i < selection->n_choices; i++) {
                const EventChoice *choice = &selection->choices[i];

                if (strv_contains(selection->whole_systems, choice->system))
                        continue;
                if (tracefs_event_file_write(instance->tracefs, choice->system, choice->name, "enable", "1") < 0)
                        return refuse_events(choice->system, choice->name, -errno, error);
        }
        return 0;
}

int instance_disable_event(Instance *instance, const char *event, Error *error) {
        CLEANUP_FREE char *system = strdup(event);
        char *name = system ? strchr(system, ':') : NULL;

        if (!system)
                return error_set_errno(error, -ENOMEM, "Cannot disable %s", event);
        if (!name)
                return error_set(error, ERROR_NO_SUCH_EVENT, "%s is no event", event);
        *name++ = '\0';
        if (tracefs_event_file_write(instance->tracefs, system, name, "enable", "0") < 0)
                return error_set_errno(error, -errno, "Cannot disable %s in %s", event, instance->name);
        return 0;
}

int instance_configure(Instance *instance, const Spec *spec, const EventSelection *selection, Error *error) {
        int r;

        r = configure_clock(instance, spec, error);
        if (r >= 0)
                r = configure_buffer(instance, spec, error);
        if (r >= 0)
                r = configure_options(instance, spec, error);
        if (r >= 0)
                r = configure_cpus(instance, spec, error);
        if (r >= 0)
                r = instance_configure_processes(instance, spec, error);
        if (r >= 0)
                r = function_filter_configure(instance, spec, error);
        if (r >= 0)
                r = configure_filters(instance, selection, error);
        if (r >= 0)
                r = configure_events(instance, selection, error);
        if (r >= 0 && graph_needs_tracing(spec))
                r = instance_set_tracing(instance, true, error);
        if (r >= 0)
                r = tracer_configure(instance, spec, error);
        return r;
}
