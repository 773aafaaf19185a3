/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which numbers the kernel may have given to new tasks between two moments. It gives them in ascending order and
 * begins anew at the end (alloc_pid(), kernel/pid.c, idr_alloc_cyclic(); 5.15 to 6.18); /proc/loadavg (proc(5)) shows
 * the newest. Pure functions.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The last field of /proc/loadavg. -EBADMSG. */
int pid_span_parse_newest(const char *loadavg, pid_t *ret);

/* Whether `pid` was passed on the way from `before` (not included) to `newest`, which is less than one round long. */
bool pid_span_contains(pid_t before, pid_t newest, pid_t pid);

/* How long a round takes at the very least, in usec. A task that cannot be made for want of a descriptor takes a
 * number, too, and is not counted anywhere: one CPU did that in 7.2 us each; no more than one in a usec is assumed of
 * all, since they take and give back numbers under one lock. */
uint64_t pid_span_round(pid_t pid_max, unsigned n_cpus);
