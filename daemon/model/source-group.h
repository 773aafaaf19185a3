/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The unit or user whose tasks a source records: looked at again while it runs. For source.c only.
 */

#include "model/source.h"

/* On the kernel worker: adds the tasks that are there now. */
int source_add_group(TaskGroup *group, Instance *instance, Error *error);
/* Has the kernel worker look for new ones every SOURCE_GROUP_INTERVAL until source->group_timer is gone. */
#define SOURCE_GROUP_INTERVAL 500000U /* usec */
int source_watch_group(Source *source);
