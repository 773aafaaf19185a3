/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TaskGroup: the tasks of a systemd unit or of a user, which change while a session runs.
 *
 * A unit's are those in its control group (control-group.h), a user's those of processes with that real uid.
 *
 * The kernel adds what traced tasks start themselves (event-fork), wherever that goes, and drops what ends. What
 * comes in other ways, such as a main process that the service manager starts, is found by looking again.
 *
 * Life cycle: task_group_new() for a spec that has such a key; task_group_update() now and then; task_group_free().
 */

#include "core/error.h"
#include "core/spec.h"
#include "kernel/instance.h"

typedef struct TaskGroup TaskGroup;

/* Changes nothing. ERROR_NO_SUCH_PROCESS when the unit or user of the spec has no process. */
int task_group_check(const Spec *spec, Error *error);

/* *ret is NULL for a spec without. */
int task_group_new(const Spec *spec, TaskGroup **ret);
void task_group_free(TaskGroup *group);
DEFINE_POINTER_CLEANUP(TaskGroup, task_group_free);

/* Adds those tasks to the instance's pid filter that are not in it, which takes some 35 ms if there are any. A unit
 * that has stopped has none. A number that passed to another task before the kernel had it is excluded. */
int task_group_update(TaskGroup *group, Instance *instance, Error *error);
