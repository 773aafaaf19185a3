/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/catalog.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/filter.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/strv.h"
#include "kernel/cpus.h"
#include "kernel/event-format.h"
#include "kernel/functions.h"
#include "kernel/histogram-set.h"
#include "kernel/probe-set.h"
#include "kernel/process.h"
#include "kernel/synthetic.h"
#include "kernel/task-group.h"
#include "kernel/tracer.h"
#include "kernel/tracing-dir.h"
#include "kernel/trigger-set.h"

/* A pattern that selects more events than this is to be made narrower before their formats are asked for. */
#define DESCRIBE_MAX 16

int catalog_read(Error *error, EventList *ret) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = tracing_dir_read_text("available_events", &text);
        if (r >= 0)
                r = event_list_parse(text, ret);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of events");
        /* The probes of sessions are theirs alone. */
        event_list_drop_systems(ret, PROBE_GROUP_PREFIX);
        event_list_drop_names(ret, SYNTHETIC_SYSTEM, SYNTHETIC_PREFIX);
        return 0;
}

int catalog_read_id(const char *system, const char *name, Error *error, unsigned *ret) {
        CLEANUP_FREE char *path = NULL, *text = NULL;
        uint64_t id = 0;
        int r;

        if (asprintf(&path, "events/%s/%s/id", system, name) < 0) {
                path = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot read the number of an event");
        }
        r = tracing_dir_read_text(path, &text);
        if (r == -ENOENT || r == -ENODEV)
                return error_set(error, ERROR_NO_SUCH_EVENT, "The kernel no longer has the event %s:%s", system,
                                 name);
        if (r >= 0) {
                text[strcspn(text, "\n")] = '\0';
                r = parse_unsigned(text, &id);
        }
        if (r < 0 || id > UINT_MAX)
                return error_set_errno(error, r < 0 ? r : -ERANGE, "Cannot read the number of %s:%s", system, name);
        *ret = (unsigned) id;
        return 0;
}

static bool has_system(const EventList *list, const char *system) {
        for (size_t i = 0; i < list->n_events; i++)
                if (strcmp(list->events[i].system, system) == 0)
                        return true;
        return false;
}

/* A pattern that can mean nothing but the events of single system calls. */
static bool wants_syscalls(const char *pattern) {
        const char *name = strchr(pattern, ':');

        if (strcmp(pattern, "syscalls") == 0 || strncmp(pattern, "syscalls:", strlen("syscalls:")) == 0)
                return true;
        name = name ? name + 1 : pattern;
        return strncmp(name, "sys_enter_", strlen("sys_enter_")) == 0 ||
               strncmp(name, "sys_exit_", strlen("sys_exit_")) == 0;
}

/* event_selection_resolve(), with the reason why there are no system calls where there are none. */
static int resolve(const Spec *spec, const EventList *list, Error *error, EventSelection *ret) {
        CLEANUP(error_clear) Error reason = ERROR_INIT;
        int r;

        r = event_selection_resolve(spec, list, &reason, ret);
        if (r >= 0)
                return r;
        if (reason.code == ERROR_NO_SUCH_EVENT && !has_system(list, "syscalls"))
                for (size_t i = 0; spec->events && spec->events[i]; i++)
                        if (wants_syscalls(spec->events[i]))
                                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                                 "events: %s: the kernel has no events for single system calls "
                                                 "(it was built without CONFIG_FTRACE_SYSCALLS)%s",
                                                 spec->events[i],
                                                 has_system(list, "raw_syscalls") ? "; it has raw_syscalls" : "");
        if (error)
                error_move(error, &reason);
        return r;
}

static int check_filters(EventSelection *selection, bool self, Error *error) {
        for (size_t i = 0; i < selection->n_choices; i++) {
                const EventChoice *choice = &selection->choices[i];
                CLEANUP(event_format_freep) EventFormat *format = NULL;
                CLEANUP_FREE FilterField *fields = NULL;
                size_t n_fields;
                int r;

                if (!choice->filter)
                        continue;
                r = event_format_new(choice->system, choice->name, error, &format);
                if (r < 0)
                        return r;
                r = event_format_filter_fields(format, &fields, &n_fields);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot check the filters");
                r = self ? filter_check_self(choice->filter, fields, n_fields, error)
                         : filter_check(choice->filter, fields, n_fields, error);
                if (r < 0) {
                        error_prefix(error, "filters: %s:%s", choice->system, choice->name);
                        return r;
                }
                selection->tells_of_memory |= filter_tells_of_memory(choice->filter, fields, n_fields);
        }
        return 0;
}

static int check_clock(const Spec *spec, Error *error) {
        CLEANUP(strv_freep) char **clocks = NULL;
        CLEANUP_FREE char *list = NULL;
        int r;

        if (!spec->clock)
                return 0;
        r = tracing_dir_list_clocks(&clocks);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of clocks");
        if (strv_contains(clocks, spec->clock))
                return 0;
        r = strv_join(clocks, " ", &list);
        if (r < 0)
                return error_set_errno(error, r, "Cannot check the clock");
        return error_set(error, ERROR_INVALID_ARGUMENT, "clock: the kernel has no clock \"%s\"; it has %s",
                         spec->clock, list);
}

static int check_options(const Spec *spec, Error *error) {
        CLEANUP(strv_freep) char **options = NULL;
        int r;

        if (!spec->options)
                return 0;
        r = tracing_dir_list_options(&options);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of tracer options");
        for (size_t i = 0; spec->options[i]; i++) {
                const char *option = spec->options[i];

                if (strv_contains(options, option))
                        continue;
                if (strncmp(option, "no", 2) == 0 && strv_contains(options, option + 2))
                        continue;
                return error_set(error, ERROR_INVALID_ARGUMENT, "options: the kernel has no tracer option \"%s\"",
                                 option);
        }
        return 0;
}

static int check_cpus(const Spec *spec, Error *error) {
        CLEANUP(cpu_list_clear) CpuList possible = { 0 };
        CLEANUP_FREE char *text = NULL;
        int r;

        if (spec->cpus.n_cpus == 0)
                return 0;
        r = cpus_possible(error, &possible);
        if (r < 0)
                return r;
        for (size_t i = 0; i < spec->cpus.n_cpus; i++) {
                if (cpu_list_contains(&possible, spec->cpus.cpus[i]))
                        continue;
                r = cpu_list_format(&possible, &text);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot check the CPUs");
                return error_set(error, ERROR_INVALID_ARGUMENT, "cpus: there is no CPU %u; this machine has %s",
                                 spec->cpus.cpus[i], text);
        }
        return 0;
}

static int check_process(pid_t pid, Error *error) {
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks;

        return process_list_tasks(pid, false, error, &tasks, &n_tasks);
}

static int check_processes(const Spec *spec, Error *error) {
        pid_t pid;
        int r;

        for (size_t i = 0; i < spec->n_pids; i++) {
                r = check_process(spec->pids[i], error);
                if (r < 0) {
                        error_prefix(error, "pids");
                        return r;
                }
        }
        for (size_t i = 0; i < spec->pidfds.n_fds; i++) {
                r = process_from_pidfd(spec->pidfds.fds[i], error, &pid);
                if (r >= 0)
                        r = check_process(pid, error);
                if (r < 0) {
                        error_prefix(error, "pidfds");
                        return r;
                }
        }
        return 0;
}

int catalog_resolve(const Spec *spec, Error *error, EventSelection *ret) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        int r;

        r = catalog_read(error, &list);
        if (r >= 0)
                r = resolve(spec, &list, error, &selection);
        if (r >= 0)
                r = check_filters(&selection, spec_is_self(spec), error);
        if (r >= 0)
                r = check_clock(spec, error);
        if (r >= 0)
                r = check_options(spec, error);
        if (r >= 0)
                r = check_cpus(spec, error);
        if (r >= 0)
                r = check_processes(spec, error);
        if (r >= 0)
                r = synthetic_check(spec, error);
        if (r >= 0)
                r = trigger_set_check(spec, &list, error, &selection.tells_of_memory);
        if (r >= 0)
                r = histogram_set_check(spec, &list, error, &selection.tells_of_memory);
        if (r >= 0)
                r = task_group_check(spec, error);
        if (r >= 0)
                r = probe_set_check(spec, error);
        if (r >= 0)
                r = tracer_check(spec, error);
        if (r >= 0)
                r = functions_check(spec, error);
        if (r < 0)
                return r;

        *ret = selection;
        selection = (EventSelection){ 0 };
        return 0;
}

/* The events of a selection as a JSON array. */
static int describe_selection(const EventSelection *selection, Error *error, struct json_object *array) {
        for (size_t i = 0; i < selection->n_choices; i++) {
                CLEANUP(event_format_freep) EventFormat *format = NULL;
                CLEANUP_JSON struct json_object *object = NULL;
                int r;

                r = event_format_new(selection->choices[i].system, selection->choices[i].name, error, &format);
                if (r < 0)
                        return r;
                r = event_format_to_json(format, &object);
                if (r >= 0 && json_object_array_add(array, object) < 0)
                        r = -ENOMEM;
                if (r < 0)
                        return error_set_errno(error, r, "Cannot describe the event");
                object = NULL;
        }
        return 0;
}

int catalog_describe_event(const char *pattern, Error *error, char **ret) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        char *events[] = { (char *) pattern, NULL };
        const Spec spec = { .events = events, .output = -1 };
        CLEANUP_JSON struct json_object *array = NULL;
        int r;

        r = event_pattern_check(pattern, error);
        if (r >= 0)
                r = catalog_read(error, &list);
        if (r >= 0)
                r = resolve(&spec, &list, error, &selection);
        if (r < 0)
                return r;
        if (selection.n_choices > DESCRIBE_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "\"%s\" means %zu events, and at most %d can be described", pattern,
                                 selection.n_choices, DESCRIBE_MAX);

        array = json_object_new_array();
        if (!array)
                return error_set_errno(error, -ENOMEM, "Cannot describe the event");
        r = describe_selection(&selection, error, array);
        if (r < 0)
                return r;
        r = json_text_format(selection.n_choices == 1 ? json_object_array_get_idx(array, 0) : array, false, ret);
        if (r < 0)
                return error_set_errno(error, r, "Cannot describe the event");
        return 0;
}
