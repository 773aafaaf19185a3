/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ReuseGuard: sees to it that a limited instance (instance_limit_to()) gives away nothing of a task that only has the
 * number of one of its own.
 *
 * The kernel frees the number of a task when it was waited for, but takes it out of the pid filter only a grace
 * period later (release_task(); delayed_put_task_struct(), sched_process_free; 5.15 to 6.18). Who gets the number in
 * between is recorded, and what he forks is followed. A program can bring that about, by making so many tasks that
 * its number is the next to be given.
 *
 * So the guard keeps in mind which tasks are in the filter, and which number was given last. When that has passed
 * the number of a task that is not there any more, what was recorded since may be somebody else's.
 *
 * Life cycle: reuse_guard_new() before tracing is switched on; reuse_guard_check() after pages were read and before
 * they are passed on, and at least every reuse_guard_interval(); reuse_guard_free(). On the pump's thread.
 */

#include <stdint.h>

#include "core/error.h"
#include "kernel/instance.h"

typedef struct ReuseGuard ReuseGuard;

/* Fails unless each task in the filter is the owner's. `instance` is borrowed. */
int reuse_guard_new(Instance *instance, Error *error, ReuseGuard **ret);
void reuse_guard_free(ReuseGuard *guard);
DEFINE_POINTER_CLEANUP(ReuseGuard, reuse_guard_free);

/* 0: all that was recorded up to now is the owner's. ERROR_OUT_OF_SCOPE: nothing of what was read since the last time
 * may be passed on, and tracing must end. */
int reuse_guard_check(ReuseGuard *guard, Error *error);

/* usec. */
uint64_t reuse_guard_interval(const ReuseGuard *guard);
