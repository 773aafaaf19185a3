/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Pressure: tells when tasks have been stalled for want of a resource (PSI, Documentation/accounting/psi.rst), in the
 * system or in a unit's control group.
 *
 * The kernel tells by EPOLLPRI where it lets us ask for that: before 6.5 only who has CAP_SYS_RESOURCE may, and since
 * then everybody may for windows that are multiples of two seconds (psi_trigger_create(), kernel/sched/psi.c), if the
 * file can be opened for writing at all. Otherwise the time stalled has to be measured once a window.
 *
 * Life cycle: pressure_open(), pressure_free().
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/watch-spec.h"

typedef struct Pressure Pressure;

/* Of a watch of kind WATCH_PRESSURE. ERROR_NOT_SUPPORTED_BY_KERNEL, ERROR_NO_SUCH_PROCESS for a unit that has no
 * control group. Reads directories. */
int pressure_open(const WatchSpec *watch, Error *error, Pressure **ret);
void pressure_free(Pressure *pressure);
DEFINE_POINTER_CLEANUP(Pressure, pressure_free);

/* Does the kernel tell? */
bool pressure_is_told(const Pressure *pressure);
/* To be polled for EPOLLPRI. EPOLLERR: the control group is gone. */
int pressure_fd(const Pressure *pressure);
/* Takes back what the kernel has told. */
void pressure_forget(Pressure *pressure);
/* The time stalled since the last measurement, the first of which is made at the opening, in usec. -ENODEV when the
 * control group is gone. */
int pressure_measure(Pressure *pressure, uint64_t *ret);
