/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The machine's memory, as /proc/meminfo says: a file of the kernel's that needs no disk.
 */

#include "core/memory-info.h"

/* -errno. */
int memory_read(MemoryInfo *ret);
