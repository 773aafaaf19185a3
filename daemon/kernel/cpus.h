/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The CPUs that the running kernel can ever have: each of them has a per_cpu directory in tracefs and gets
 * a buffer once it is online.
 */

#include "core/cpu-list.h"

/* From /sys/devices/system/cpu/possible (Documentation/admin-guide/cputopology.rst). */
int cpus_possible(Error *error, CpuList *ret);
