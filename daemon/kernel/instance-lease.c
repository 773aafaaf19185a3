/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an instance is lent: the top-level buffer in place of its own, for a tracer that cannot run in an instance, or
 * the settings of function_graph.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "kernel/graph.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/probe-set.h"
#include "kernel/setting.h"
#include "kernel/tracer.h"
#include "kernel/tracing-dir.h"

#define TOP_LEVEL "The top-level trace buffer"
#define GRAPH_TRACER "function_graph"
#define GRAPH "What function_graph records, which is one setting for the whole kernel,"

/* In the order in which instance_configure() and its like write them, so that the tracer is the first to be restored,
 * and tracing is switched on again last. */
static const char *const first_files[] = { "tracing_on", "trace", "buffer_size_kb" };
static const char *const middle_files[] = {
        "trace_clock",       "tracing_cpumask",    "set_event_pid",  "set_event_notrace_pid",
        "set_ftrace_filter", "set_ftrace_notrace", "set_ftrace_pid", "set_ftrace_notrace_pid",
};
/* These begin empty, whatever somebody left in them. */
static const char *const lists[] = { "set_event_pid",      "set_event_notrace_pid", "set_ftrace_filter",
                                     "set_ftrace_notrace", "set_ftrace_pid",        "set_ftrace_notrace_pid" };

static bool is_off(const char *text) {
        return text[0] == '0';
}

static int busy(Error *error, const char *what) {
        return error_set(error, ERROR_BUSY, TOP_LEVEL " is in use by another program: %s", what);
}

/* Somebody who reads trace_pipe would take the records away. Before 6.6 the kernel tells only when the tracer is
 * set. */
static int check_reader(Error *error) {
        CLEANUP_CLOSE int fd = tracefs_instance_file_open(NULL, "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

        return fd < 0 && errno == EBUSY ? busy(error, "trace_pipe is being read") : 0;
}

/* Nothing is taken away from another tool. */
static int check_unused(Error *error) {
        CLEANUP_FREE char *tracer = NULL, *events = NULL, *what = NULL;
        int r;

        r = setting_read("current_tracer", &tracer);
        if (r >= 0)
                r = setting_read("events/enable", &events);
        if (r < 0)
                return error_set_errno(error, r, "Cannot see whether the top-level trace buffer is in use");
        tracer[strcspn(tracer, "\n")] = '\0';
        if (strcmp(tracer, "nop") != 0) {
                if (asprintf(&what, "its tracer is %s", tracer) < 0) {
                        what = NULL;
                        return error_set_errno(error, -ENOMEM, "Cannot lease the top-level trace buffer");
                }
                return busy(error, what);
        }
        if (!is_off(events))
                return busy(error, "events are enabled there");
        return check_reader(error);
}

static int append_all(char ***files, const char *const *more, size_t n) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = strv_append(files, more[i]);
        return r;
}

static int append_format(char ***files, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int append_format(char ***files, const char *format, ...) {
        CLEANUP_FREE char *path = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&path, format, ap);
        va_end(ap);
        if (n < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return strv_append(files, path);
}

static int append_options(char ***files) {
        CLEANUP(strv_freep) char **options = NULL;
        int r = tracing_dir_list_options(&options);

        for (char **option = options; r >= 0 && option && *option; option++)
                r = append_format(files, "options/%s", *option);
        return r;
}

static int append_events(char ***files, const EventSelection *selection) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < selection->n_choices; i++) {
                const EventChoice *choice = &selection->choices[i];

                if (choice->filter)
                        r = append_format(files, "events/%s/%s/filter", choice->system, choice->name);
                if (r >= 0)
                        r = append_format(files, "events/%s/%s/enable", choice->system, choice->name);
        }
        return r;
}

static int append_cpus(char ***files, const CpuList *cpus) {
        CLEANUP_FREE char *text = NULL;
        int r = setting_read("buffer_size_kb", &text);

        /* One that was never used has no sizes of its own for the CPUs yet. */
        if (r < 0 || strchr(text, '('))
                return r;
        for (size_t i = 0; r >= 0 && i < cpus->n_cpus; i++)
                r = append_format(files, "per_cpu/cpu%u/buffer_size_kb", cpus->cpus[i]);
        return r;
}

static int list_files(const Instance *instance, const Spec *spec, const EventSelection *selection, char ***ret) {
        CLEANUP(strv_freep) char **files = NULL, **graph = NULL;
        int r;

        r = append_all(&files, first_files, ELEMENTSOF(first_files));
        if (r >= 0)
                r = append_cpus(&files, &instance->cpus);
        if (r >= 0)
                r = append_all(&files, middle_files, ELEMENTSOF(middle_files));
        if (r >= 0)
                r = append_options(&files);
        if (r >= 0)
                r = graph_list_files(spec, &graph);
        for (char **file = graph; r >= 0 && file && *file; file++)
                if (!strv_contains(files, *file))
                        r = strv_append(&files, *file);
        if (r >= 0)
                r = append_events(&files, selection);
        if (r >= 0)
                r = strv_append(&files, "current_tracer");
        if (r < 0)
                return r;
        *ret = STEAL_PTR(files);
        return 0;
}

/* As the kernel does it with a new instance. */
static int reset(const Instance *instance, Error *error) {
        CLEANUP_FREE char *mask = NULL;
        int r;

        r = setting_write("tracing_on", "0");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(lists); i++) {
                r = setting_write_list(lists[i], NULL, NULL);
                if (r == -ENOENT)
                        r = 0;
        }
        if (r >= 0)
                r = cpu_list_format_mask(&instance->cpus, &mask);
        if (r >= 0 && tracefs_instance_set_affinity_raw(NULL, mask) < 0)
                r = -errno;
        if (r >= 0)
                r = setting_restore("trace", "");
        return r < 0 ? error_set_errno(error, r, "Cannot reset the top-level trace buffer") : 0;
}

/* The instance itself stays, empty and off: its name is that of the session's probes, and it shows that the
 * session lives. */
static int move_to_top_level(Instance *instance, Error *error) {
        int fd = tracefs_instance_file_open(NULL, "tracing_on", O_RDWR | O_CLOEXEC);

        if (fd < 0)
                return error_set_errno(error, -errno, "Cannot open the top-level trace buffer");
        instance->placeholder = STEAL_PTR(instance->tracefs);
        instance->placeholder_fd = instance->tracing_on_fd;
        instance->tracing_on_fd = fd;
        return instance_read_properties(instance, error);
}

static int lease_top_level(Instance *instance, Lease *lease, const char *holder, const Spec *spec,
                           const EventSelection *selection, Error *error) {
        CLEANUP(strv_freep) char **files = NULL;
        CLEANUP_FREE char *probes = NULL;
        int r;

        if (strv_length(spec->triggers) > 0 || strv_length(spec->histograms) > 0)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "triggers and histograms need a trace instance, in which %s cannot run on this "
                                 "kernel",
                                 spec->tracer);
        r = list_files(instance, spec, selection, &files);
        if (r >= 0 && asprintf(&probes, "events/" PROBE_GROUP_PREFIX "%s/enable",
                               instance->name + strlen(INSTANCE_PREFIX)) < 0) {
                probes = NULL;
                r = -ENOMEM;
        }
        if (r < 0)
                return error_set_errno(error, r, "Cannot lease the top-level trace buffer");
        r = lease_claim(lease,
                        &(LeaseRequest){ .holder = holder,
                                         .purpose = TOP_LEVEL,
                                         .files = files,
                                         .switch_off = probes,
                                         .check = check_unused },
                        error, &instance->claim);
        if (r < 0)
                return r;
        r = reset(instance, error);
        if (r >= 0)
                r = move_to_top_level(instance, error);
        return r < 0 || !graph_is_wanted(spec) ? r : graph_configure(spec, error);
}

static int compare_tracer(const char *name, void *userdata) {
        CLEANUP_FREE char *file = NULL, *tracer = NULL;
        char **found = userdata;

        if (*found || strncmp(name, INSTANCE_PREFIX, strlen(INSTANCE_PREFIX)) == 0)
                return 0;
        if (asprintf(&file, "instances/%s/current_tracer", name) < 0) {
                file = NULL;
                return -ENOMEM;
        }
        /* One that is just being removed has none. */
        if (setting_read(file, &tracer) < 0 || strcmp(tracer, GRAPH_TRACER "\n") != 0)
                return 0;
        *found = strdup(name);
        return *found ? 0 : -ENOMEM;
}

/* Another tool that records calls would get others. */
static int check_graph_unused(Error *error) {
        CLEANUP_FREE char *tracer = NULL, *found = NULL;
        int r;

        r = setting_read("current_tracer", &tracer);
        if (r >= 0 && strcmp(tracer, GRAPH_TRACER "\n") == 0)
                return error_set(error, ERROR_BUSY,
                                 GRAPH " is in use by another program: it is the tracer of the top-level buffer");
        errno = 0;
        if (r >= 0 && tracefs_instances_walk(compare_tracer, &found) < 0)
                r = errno ? -errno : -ENOMEM;
        if (r < 0)
                return error_set_errno(error, r, "Cannot see whether function_graph is in use");
        if (found)
                return error_set(error, ERROR_BUSY,
                                 GRAPH " is in use by another program: it is the tracer of the instance %s", found);
        return 0;
}

static int lease_graph(Instance *instance, Lease *lease, const char *holder, const Spec *spec, Error *error) {
        CLEANUP(strv_freep) char **files = NULL;
        CLEANUP_FREE char *key = NULL;
        int r;

        r = graph_list_files(spec, &files);
        if (r >= 0)
                r = graph_make_key(spec, &key);
        if (r < 0)
                return error_set_errno(error, r, "Cannot lease the settings of function_graph");
        r = lease_claim(
                lease,
                &(LeaseRequest){
                        .holder = holder, .purpose = GRAPH, .key = key, .files = files, .check = check_graph_unused },
                error, &instance->claim);
        return r < 0 || !lease_claim_is_first(instance->claim) ? r : graph_configure(spec, error);
}

int instance_lease(Instance *instance, Lease *lease, const char *holder, const Spec *spec,
                   const EventSelection *selection, Error *error) {
        bool fits = true;
        int r;

        if (!spec_has_tracer(spec))
                return 0;
        r = tracer_fits_instance(instance, spec, error, &fits);
        if (r < 0)
                return r;
        if (!fits)
                return lease_top_level(instance, lease, holder, spec, selection, error);
        return graph_is_wanted(spec) ? lease_graph(instance, lease, holder, spec, error) : 0;
}
