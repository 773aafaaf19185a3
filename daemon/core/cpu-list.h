/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CpuList: a set of CPU numbers in the kernel's list format, "0-3,8" (cpuset(7), FORMATS).
 *
 * Life cycle: zero-initialised is the empty set; cpu_list_parse() fills it; cpu_list_clear() frees it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define CPU_LIST_CPU_MAX 8191U /* the kernel's largest NR_CPUS on any architecture is 8192 */

typedef struct CpuList {
        unsigned *cpus; /* ascending, without repetition */
        size_t n_cpus;
} CpuList;

void cpu_list_clear(CpuList *list);
int cpu_list_parse(const char *text, Error *error, CpuList *ret);
int cpu_list_copy(const CpuList *list, CpuList *ret);
bool cpu_list_contains(const CpuList *list, unsigned cpu);
/* "0-3,8": the shortest form. */
int cpu_list_format(const CpuList *list, char **ret);
/* "f,0000000f": the comma-separated hexadecimal words that tracing_cpumask takes. */
int cpu_list_format_mask(const CpuList *list, char **ret);
