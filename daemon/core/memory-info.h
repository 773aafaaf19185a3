/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * MemoryInfo: what the kernel says of the machine's memory in /proc/meminfo (proc(5)).
 */

#include <stdint.h>

typedef struct MemoryInfo {
        uint64_t total;     /* bytes; MemTotal */
        uint64_t available; /* without swapping; MemAvailable, in Linux since 3.14 */
} MemoryInfo;

/* -EINVAL when one of them is missing or no number. */
int memory_info_parse(const char *text, MemoryInfo *ret);
