/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What instance.c (life cycle and descriptors), instance-configure.c (settings) and instance-tasks.c (the pid
 * filter) share.
 */

#include <pthread.h>
#include <tracefs.h>

#include "kernel/instance.h"

/* A number that no task has or will have: tasks are numbered below PID_MAX_LIMIT, which is at most this
 * (include/linux/threads.h), while the pid filter takes numbers below 2^30 (kernel/trace/pid_list.h, 5.16). */
#define PID_OF_NOBODY 4194304

/* How often the tasks are listed again to find those that came between listing and filtering. */
#define LIST_ATTEMPTS 8

typedef struct TaskList {
        pid_t *tasks; /* sorted */
        size_t n_tasks;
} TaskList;

struct Instance {
        struct tracefs_instance *tracefs; /* NULL: the top level, which it is lent */
        char *name;                       /* with the prefix */
        char *clock;
        CpuList cpus;
        uint64_t buffer_size; /* bytes for each CPU */
        uint32_t page_size;
        int tracing_on_fd; /* open from creation to destruction, which keeps others from removing it */
        LeaseClaim *claim; /* NULL: it is lent nothing */
        struct tracefs_instance *placeholder; /* while it is lent the top level: the instance of its name, unused */
        int placeholder_fd;                   /* of that, as tracing_on_fd */
        bool has_processes;

        bool is_limited; /* to the processes of `owner` */
        Identity owner;
        int pidfds[SPEC_PIDFDS_MAX]; /* of processes that were added, for their names */
        size_t n_pidfds;

        pthread_mutex_t mutex; /* for n_pidfds and the following, since a pump reads and switches tracing, too */
        bool tracing_wanted, paused;
        bool gave_up;    /* is_limited: tracing stays off, since a task in the filter may be somebody else's */
        char **triggers; /* system, event, command, system ... in the order in which they were set; or NULL */
        char **synthetic_events;     /* as the kernel calls them; NULL: none */
        bool has_function_processes; /* the functions are those of the processes only, too */
};

/* What stays as it is, and the present state of what instance_configure() may change. */
int instance_read_properties(Instance *instance, Error *error);

/* Switches tracing off for a moment, so that nobody takes it for the end. After instance_resume() without `on` it
 * stays off. */
int instance_pause(Instance *instance, Error *error);
int instance_resume(Instance *instance, bool on, Error *error);

/* instance-tasks.c */
void task_list_clear(TaskList *list);
bool task_list_contains(const TaskList *list, pid_t task);
int task_list_add(TaskList *list, const pid_t *tasks, size_t n_tasks);
/* Appends to the pid filters. */
int instance_write_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks, Error *error);
/* Makes the pid filter one that nobody passes. */
int instance_filter_nobody(Instance *instance, Error *error);

/* instance-own.c */
int instance_configure_own(Instance *instance, const Spec *spec, Error *error);
/* The tasks in the pid filter. */
int instance_read_filter(Instance *instance, TaskList *ret);

/* Checks and sets the filter of an event that the session defined; `system` and `name`: what the kernel calls it. */
int instance_set_own_filter(Instance *instance, const char *system, const char *name, const SpecFilter *filter,
                            Error *error);

/* Brings instance->buffer_size up to date. */
int instance_read_buffer_size(Instance *instance);

/* Sets the pid filters to the tasks of the spec's processes; the options event-fork and
 * function-fork must be set before. */
int instance_configure_processes(Instance *instance, const Spec *spec, Error *error);
