/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pid filters of an instance: set_event_pid and, with a tracer of functions, set_ftrace_pid. What they must
 * never be is empty, since the kernel takes that for "no filter".
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "kernel/instance-private.h"
#include "kernel/process.h"

void task_list_clear(TaskList *list) {
        free(list->tasks);
        *list = (TaskList){ 0 };
}

static int compare_pids(const void *a, const void *b) {
        pid_t left = *(const pid_t *) a, right = *(const pid_t *) b;

        return (left > right) - (left < right);
}

bool task_list_contains(const TaskList *list, pid_t task) {
        return list->n_tasks > 0 &&
               bsearch(&task, list->tasks, list->n_tasks, sizeof(*list->tasks), compare_pids) != NULL;
}

int task_list_add(TaskList *list, const pid_t *tasks, size_t n_tasks) {
        pid_t *larger;

        if (n_tasks == 0)
                return 0;
        larger = reallocarray(list->tasks, list->n_tasks + n_tasks, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        memcpy(larger + list->n_tasks, tasks, n_tasks * sizeof(*tasks));
        list->tasks = larger;
        list->n_tasks += n_tasks;
        qsort(list->tasks, list->n_tasks, sizeof(*list->tasks), compare_pids);
        return 0;
}

/* Appends to a pid filter, in one write: each one but the first costs a grace period (35 ms). The kernel
 * takes the text word by word and so has no limit on its length (trace_pid_write(), trace.c). */
static int append_tasks(Instance *instance, const char *file, const char *text) {
        int n = tracefs_instance_file_append(instance->tracefs, file, text);

        if (n < 0)
                return -errno;
        return (size_t) n < strlen(text) ? -EIO : 0;
}

/* To the one filter, and to that of functions when there is one. */
static int append_to_filters(Instance *instance, const char *events, const char *functions, const pid_t *tasks,
                             size_t n_tasks) {
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        FILE *stream;
        int r;

        stream = open_memstream(&text, &length);
        if (!stream)
                return -errno;
        for (size_t i = 0; i < n_tasks; i++)
                (void) fprintf(stream, "%d ", tasks[i]);
        if (fclose(stream) != 0)
                return -ENOMEM;

        r = append_tasks(instance, events, text);
        if (r >= 0 && instance->has_function_processes)
                r = append_tasks(instance, functions, text);
        return r;
}

static int write_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks) {
        return append_to_filters(instance, "set_event_pid", "set_ftrace_pid", tasks, n_tasks);
}

int instance_write_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks, Error *error) {
        int r;

        /* It would begin to keep out everybody else. */
        if (!instance->has_processes)
                return error_set(error, ERROR_WRONG_STATE, "%s traces all processes", instance->name);
        if (n_tasks == 0)
                return 0;
        r = write_tasks(instance, tasks, n_tasks);
        if (r < 0)
                return error_set_errno(error, r, "Cannot add to the pid filter of %s", instance->name);
        return 0;
}

int instance_add_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks, Error *error) {
        if (instance->is_limited)
                return error_set(error, ERROR_WRONG_STATE, "%s takes processes that were checked only",
                                 instance->name);
        return instance_write_tasks(instance, tasks, n_tasks, error);
}

/* Nothing can be taken out of a pid filter without emptying it, when it lets everybody pass for a moment. So these go
 * into the filter of what is left out, which counts more. The kernel drops them from both when they end. */
int instance_exclude_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks, Error *error) {
        int r = n_tasks == 0 ? 0
                             : append_to_filters(instance, "set_event_notrace_pid", "set_ftrace_notrace_pid", tasks,
                                                 n_tasks);

        if (r < 0)
                return error_set_errno(error, r, "Cannot leave tasks out of %s", instance->name);
        return 0;
}

static int add_process(pid_t pid, bool children, Error *error, TaskList *list) {
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks = 0;
        int r;

        r = process_list_tasks(pid, children, error, &tasks, &n_tasks);
        if (r < 0)
                return r;
        r = task_list_add(list, tasks, n_tasks);
        if (r < 0)
                return error_set_errno(error, r, "Cannot list the tasks of process %d", pid);
        return 0;
}

static int add_pidfd(int pidfd, bool children, Error *error, TaskList *list) {
        CLEANUP(task_list_clear) TaskList tasks = { 0 };
        pid_t pid;
        int r;

        r = process_from_pidfd(pidfd, error, &pid);
        if (r >= 0)
                r = add_process(pid, children, error, &tasks);
        /* Still there, so that the number has not passed to another process meanwhile. */
        if (r >= 0)
                r = process_from_pidfd(pidfd, error, &pid);
        if (r < 0)
                return r;
        r = task_list_add(list, tasks.tasks, tasks.n_tasks);
        if (r < 0)
                return error_set_errno(error, r, "Cannot list the tasks of process %d", pid);
        return 0;
}

/* The tasks of the processes in the spec, as far as they are not in `known`. A process that is gone is a
 * failure only as long as nothing is known. */
static int list_new_tasks(const Spec *spec, const TaskList *known, Error *error, TaskList *ret) {
        CLEANUP(task_list_clear) TaskList list = { 0 };
        size_t n_new = 0;

        for (size_t i = 0; i < spec->n_pids + spec->pidfds.n_fds; i++) {
                CLEANUP(error_clear) Error reason = ERROR_INIT;
                int r;

                if (i < spec->n_pids)
                        r = add_process(spec->pids[i], spec->children, &reason, &list);
                else
                        r = add_pidfd(spec->pidfds.fds[i - spec->n_pids], spec->children, &reason, &list);
                if (r >= 0 || (known->n_tasks > 0 && reason.code == ERROR_NO_SUCH_PROCESS))
                        continue;
                if (error)
                        error_move(error, &reason);
                return r;
        }

        for (size_t i = 0; i < list.n_tasks; i++)
                if (!task_list_contains(known, list.tasks[i]) && (i == 0 || list.tasks[i] != list.tasks[i - 1]))
                        list.tasks[n_new++] = list.tasks[i];
        list.n_tasks = n_new;
        *ret = list;
        list = (TaskList){ 0 };
        return 0;
}

int instance_filter_nobody(Instance *instance, Error *error) {
        const pid_t nobody = PID_OF_NOBODY;
        int r;

        r = write_tasks(instance, &nobody, 1);
        if (r == -EINVAL || r == -EPERM)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "A session that has no process to begin with needs Linux 5.16 or later");
        if (r < 0)
                return error_set_errno(error, r, "Cannot set the pid filter of %s", instance->name);
        return 0;
}

int instance_configure_processes(Instance *instance, const Spec *spec, Error *error) {
        CLEANUP(task_list_clear) TaskList known = { 0 };
        int r;

        if (instance->is_limited)
                return instance_configure_own(instance, spec, error);
        if (!spec_has_processes(spec))
                return 0;
        /* Kernels without function tracers have no such file, and no need of it. */
        instance->has_function_processes =
                spec_records_functions(spec) && tracefs_file_exists(instance->tracefs, "set_ftrace_pid");
        if (spec->n_pids + spec->pidfds.n_fds == 0) {
                r = instance_filter_nobody(instance, error);
                if (r < 0)
                        return r;
        }
        instance->has_processes = true;

        /* The kernel follows the children of the tasks that it knows, not those of a task that was forked
         * after we had looked: look again until there are no more. */
        for (unsigned attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
                CLEANUP(task_list_clear) TaskList added = { 0 };

                r = list_new_tasks(spec, &known, error, &added);
                if (r < 0)
                        return r;
                if (added.n_tasks == 0)
                        break;
                r = instance_add_tasks(instance, added.tasks, added.n_tasks, error);
                if (r >= 0)
                        r = task_list_add(&known, added.tasks, added.n_tasks);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot set the pid filter of %s", instance->name);
        }
        return 0;
}

int instance_copy_tasks(Instance *instance, Instance *from, Error *error) {
        CLEANUP(task_list_clear) TaskList list = { 0 };
        int r;

        if (!from->has_processes)
                return 0;
        r = instance_read_filter(from, &list);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the pid filter of %s", from->name);
        return instance_write_tasks(instance, list.tasks, list.n_tasks, error);
}
