/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The control groups of systemd's units, which are directories with the units' names. They are looked for in the file
 * system, so that no bus has to be asked. For this layer only.
 */

#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

/* Where systemd keeps its units' groups: the cgroup2 hierarchy, or without one that of version 1 that has no
 * controller. NULL: there is neither. */
const char *control_group_root(void);

/* The directory of a unit's group, below `root`; the caller frees *ret. Several managers can have a unit of one name:
 * the one nearest to the root counts, which is the system's. ERROR_NO_SUCH_PROCESS, with a name that is near. */
int control_group_find(const char *root, const char *unit, Error *error, char **ret);

/* The threads in a group and in those below it, at this moment, in no order; the caller frees *ret. Groups that go
 * meanwhile are left out. -ENOENT when `path` itself is gone. */
int control_group_list_tasks(const char *path, pid_t **ret, size_t *ret_n);
