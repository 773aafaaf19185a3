/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TaskGroup: the tasks of a systemd unit or of a user, which change while a session runs.
 *
 * A unit is found by the name of its directory below the cgroup2 hierarchy (systemd gives a unit's control group
 * its name), so that no bus has to be asked; where several managers have one of that name, the one nearest to the
 * root counts. A user's processes are those with that real uid.
 *
 * The kernel adds what traced tasks start themselves (event-fork) and drops what ends. What comes in other ways, such
 * as a main process that the service manager starts, is new when the group is listed again.
 *
 * Life cycle: task_group_new() for a spec that has such a key; task_group_take_new() now and then; task_group_free().
 */

#include "core/error.h"
#include "core/spec.h"

typedef struct TaskGroup TaskGroup;

/* Changes nothing. ERROR_NO_SUCH_PROCESS when a unit or user of the spec has no process. */
int task_group_check(const Spec *spec, Error *error);

/* *ret is NULL for a spec without. */
int task_group_new(const Spec *spec, TaskGroup **ret);
void task_group_free(TaskGroup *group);
DEFINE_POINTER_CLEANUP(TaskGroup, task_group_free);

/* The tasks that were not there at the last call; the caller frees *ret. A unit that has stopped has none. */
int task_group_take_new(TaskGroup *group, pid_t **ret, size_t *ret_n);
