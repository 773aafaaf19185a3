/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Instances that are limited to the processes of one user (scope "self"). In the pid filter stand only tasks that
 * were checked; the kernel adds what they fork (event-fork) and takes out what has ended.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#include "core/parse.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/own-process.h"
#include "kernel/process.h"

/* The kernel takes the number of a task that has ended out of the filter a grace period after the number is free
 * (sched_process_free, delayed_put_task_struct()); and a process may fork while it is looked at. */
#define VERIFY_ATTEMPTS 50
#define VERIFY_PAUSE_USEC 10000
#define COMM_SIZE 64
#define PATH_SIZE 64

int instance_limit_to(Instance *instance, const Identity *owner, Error *error) {
        int r = own_process_check_namespace(error);

        if (r < 0)
                return r;
        r = identity_copy(owner, &instance->owner);
        if (r < 0)
                return error_set_errno(error, r, "Cannot limit the trace instance to a user");
        instance->is_limited = true;
        return 0;
}

bool instance_is_limited(const Instance *instance) {
        return instance->is_limited;
}

int instance_read_filter(Instance *instance, TaskList *ret) {
        CLEANUP(task_list_clear) TaskList list = { 0 };
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks = 0, size;
        char *rest, *line;
        int r;

        r = kernel_text_read_tracefs(instance->tracefs, "set_event_pid", &text, &size);
        if (r < 0)
                return r;
        /* A line has a digit and its end at least. */
        tasks = calloc(size / 2 + 1, sizeof(*tasks));
        if (!tasks)
                return -ENOMEM;
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                uint64_t number;

                if (parse_unsigned(line, &number) >= 0 && number <= INT_MAX) /* not "no pid" */
                        tasks[n_tasks++] = (pid_t) number;
        }
        r = task_list_add(&list, tasks, n_tasks);
        if (r < 0)
                return r;
        *ret = list;
        list = (TaskList){ 0 };
        return 0;
}

/* Every task in the filter must be the owner's: one that came into it by its number might have passed the number on.
 * With tracing off, what was somebody else's in between does no harm. `known` was checked before. */
static int verify_filter(Instance *instance, const TaskList *known, Error *error) {
        for (unsigned attempt = 0; attempt < VERIFY_ATTEMPTS; attempt++) {
                CLEANUP(task_list_clear) TaskList list = { 0 };
                bool gone = false;
                int r = instance_read_filter(instance, &list);

                if (r < 0)
                        return error_set_errno(error, r, "Cannot read the pid filter of %s", instance->name);
                for (size_t i = 0; i < list.n_tasks; i++) {
                        CLEANUP(error_clear) Error reason = ERROR_INIT;

                        if (list.tasks[i] == PID_OF_NOBODY || (known && task_list_contains(known, list.tasks[i])))
                                continue;
                        r = own_task_check(list.tasks[i], &instance->owner, &reason);
                        if (reason.code == ERROR_NO_SUCH_PROCESS) {
                                gone = true;
                                continue;
                        }
                        if (r < 0) {
                                if (error)
                                        error_move(error, &reason);
                                return r;
                        }
                }
                if (!gone)
                        return 0;
                (void) usleep(VERIFY_PAUSE_USEC);
        }
        return error_set(error, ERROR_BUSY, "The processes start and end too fast to be told from those of others");
}

/* The kernel follows what the tasks in the filter fork, not what was forked after they were listed. */
static int add_own(Instance *instance, int pidfd, TaskList *known, Error *error) {
        for (unsigned attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
                CLEANUP_FREE pid_t *tasks = NULL;
                size_t n_tasks = 0, n_new = 0;
                int r = own_process_list_tasks(pidfd, &instance->owner, error, &tasks, &n_tasks);

                if (r < 0)
                        return r;
                for (size_t i = 0; i < n_tasks; i++)
                        if (!task_list_contains(known, tasks[i]))
                                tasks[n_new++] = tasks[i];
                if (n_new == 0)
                        return 0;
                r = instance_write_tasks(instance, tasks, n_new, error);
                if (r >= 0)
                        r = task_list_add(known, tasks, n_new);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot set the pid filter of %s", instance->name);
        }
        return 0;
}

/* For the name of a process that has ended, whose number is its own as long as nobody has waited for it. Without the
 * descriptor the name may be missing. */
static void keep_pidfd(Instance *instance, int pidfd) {
        int copy;

        if (instance->n_pidfds == SPEC_PIDFDS_MAX)
                return;
        copy = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return;
        (void) pthread_mutex_lock(&instance->mutex);
        instance->pidfds[instance->n_pidfds++] = copy;
        (void) pthread_mutex_unlock(&instance->mutex);
}

int instance_configure_own(Instance *instance, const Spec *spec, Error *error) {
        CLEANUP(task_list_clear) TaskList known = { 0 };
        int r = 0;

        if (spec->pidfds.n_fds == 0)
                r = instance_filter_nobody(instance, error);
        if (r < 0)
                return r;
        instance->has_processes = true;
        for (size_t i = 0; i < spec->pidfds.n_fds; i++) {
                r = add_own(instance, spec->pidfds.fds[i], &known, error);
                if (r < 0)
                        return r;
                keep_pidfd(instance, spec->pidfds.fds[i]);
        }
        return verify_filter(instance, NULL, error);
}

int instance_add_own_process(Instance *instance, int pidfd, Error *error) {
        CLEANUP(task_list_clear) TaskList before = { 0 }, known = { 0 };
        int r;

        if (!instance->has_processes)
                return error_set(error, ERROR_WRONG_STATE, "%s traces all processes", instance->name);
        r = instance_read_filter(instance, &before);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the pid filter of %s", instance->name);
        r = instance_pause(instance, error);
        if (r < 0)
                return r;
        r = add_own(instance, pidfd, &known, error);
        /* Nothing has been added yet when there was nothing to add. */
        if (r < 0 && known.n_tasks == 0) {
                int resumed = instance_resume(instance, true, error);

                return resumed < 0 ? resumed : r;
        }
        if (r >= 0)
                r = verify_filter(instance, &before, error);
        /* Otherwise somebody else's task may be in the filter: it stays off, and the pump will notice. */
        if (r < 0)
                (void) instance_resume(instance, false, NULL);
        else
                r = instance_resume(instance, true, error);
        if (r >= 0)
                keep_pidfd(instance, pidfd);
        return r;
}

/* One line "NUMBER NAME". */
static void write_name(FILE *stream, pid_t task) {
        CLEANUP_FREE char *comm = NULL;
        char path[PATH_SIZE];

        (void) snprintf(path, sizeof(path), "/proc/%d/comm", task);
        if (kernel_text_read(path, &comm) < 0)
                return;
        for (char *c = comm; *c; c++)
                if (*c == '\n')
                        *c = c[1] == '\0' ? '\0' : '?';
        (void) fprintf(stream, "%d %s\n", task, comm);
}

/* The processes that the spec named, also when they have ended but were not waited for. */
static void write_process_names(FILE *stream, Instance *instance) {
        size_t n;

        (void) pthread_mutex_lock(&instance->mutex);
        n = instance->n_pidfds;
        (void) pthread_mutex_unlock(&instance->mutex);
        for (size_t i = 0; i < n; i++) {
                CLEANUP_FREE char *text = NULL;
                size_t size = 0;
                FILE *line = open_memstream(&text, &size);
                pid_t pid, again;

                if (!line)
                        return;
                if (process_from_pidfd(instance->pidfds[i], NULL, &pid) >= 0)
                        write_name(line, pid);
                if (fclose(line) == 0 && process_from_pidfd(instance->pidfds[i], NULL, &again) >= 0)
                        (void) fputs(text, stream);
        }
}

int instance_read_own_names(Instance *instance, char **ret) {
        CLEANUP(task_list_clear) TaskList before = { 0 };
        CLEANUP_FREE char *result = NULL;
        FILE *stream;
        size_t size = 0;
        int r;

        /* Not from the kernel's table of names, where a number can stand with the name of whoever had it before. */
        r = instance_read_filter(instance, &before);
        if (r < 0)
                return r;
        stream = open_memstream(&result, &size);
        if (!stream)
                return -errno;
        write_process_names(stream, instance);
        for (size_t i = 0; i < before.n_tasks; i++) {
                CLEANUP_FREE char *name = NULL;
                size_t length = 0;
                FILE *line = open_memstream(&name, &length);

                if (!line)
                        break;
                /* A number that is free stays in the filter for a moment. */
                if (own_task_check(before.tasks[i], &instance->owner, NULL) == 0)
                        write_name(line, before.tasks[i]);
                if (fclose(line) == 0 && length > 0 && own_task_check(before.tasks[i], &instance->owner, NULL) == 0)
                        (void) fputs(name, stream);
        }
        if (fclose(stream) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(result);
        return 0;
}
