/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/cpu-list.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define MASK_WORD_BITS 32U

void cpu_list_clear(CpuList *list) {
        free(list->cpus);
        *list = (CpuList){ 0 };
}

/* Reads a CPU number; *text is moved behind it. */
static int read_cpu(const char **text, unsigned *ret) {
        unsigned value = 0;
        const char *s = *text;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++) {
                value = value * 10 + (unsigned) (*s - '0');
                if (value > CPU_LIST_CPU_MAX)
                        return -ERANGE;
        }
        *text = s;
        *ret = value;
        return 0;
}

/* Reads "N" or "N-M" and marks it in `set`. */
static int read_range(const char **text, bool *set) {
        unsigned first, last;
        int r = read_cpu(text, &first);

        if (r < 0)
                return r;
        last = first;
        if (**text == '-') {
                (*text)++;
                r = read_cpu(text, &last);
                if (r < 0)
                        return r;
        }
        if (last < first)
                return -EINVAL;
        for (unsigned cpu = first; cpu <= last; cpu++)
                set[cpu] = true;
        return 0;
}

static int list_from_set(const bool *set, CpuList *ret) {
        CpuList list = { 0 };

        for (unsigned cpu = 0; cpu <= CPU_LIST_CPU_MAX; cpu++)
                list.n_cpus += set[cpu];
        list.cpus = calloc(list.n_cpus, sizeof(*list.cpus));
        if (!list.cpus)
                return -ENOMEM;
        list.n_cpus = 0;
        for (unsigned cpu = 0; cpu <= CPU_LIST_CPU_MAX; cpu++)
                if (set[cpu])
                        list.cpus[list.n_cpus++] = cpu;
        *ret = list;
        return 0;
}

int cpu_list_parse(const char *text, Error *error, CpuList *ret) {
        bool set[CPU_LIST_CPU_MAX + 1] = { 0 };
        const char *s = text;
        int r;

        for (;;) {
                r = read_range(&s, set);
                if (r < 0 || *s != ',')
                        break;
                s++;
        }
        if (r == -ERANGE)
                return error_set(error, ERROR_INVALID_ARGUMENT, "CPU list \"%s\" has a number above %u",
                                 TEXT_ESCAPE(text), CPU_LIST_CPU_MAX);
        if (r < 0 || *s != '\0')
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is no list of CPUs such as 0-3,8",
                                 TEXT_ESCAPE(text));
        r = list_from_set(set, ret);
        if (r < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

int cpu_list_copy(const CpuList *list, CpuList *ret) {
        unsigned *cpus = NULL;

        if (list->n_cpus > 0) {
                cpus = calloc(list->n_cpus, sizeof(*cpus));
                if (!cpus)
                        return -ENOMEM;
                memcpy(cpus, list->cpus, list->n_cpus * sizeof(*cpus));
        }
        *ret = (CpuList){ .cpus = cpus, .n_cpus = list->n_cpus };
        return 0;
}

static int compare_cpus(const void *a, const void *b) {
        unsigned x = *(const unsigned *) a, y = *(const unsigned *) b;

        return (x > y) - (x < y);
}

bool cpu_list_contains(const CpuList *list, unsigned cpu) {
        return list->n_cpus > 0 && bsearch(&cpu, list->cpus, list->n_cpus, sizeof(*list->cpus), compare_cpus);
}

int cpu_list_format(const CpuList *list, char **ret) {
        CLEANUP_FREE char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        if (!stream)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_cpus;) {
                size_t last = i;

                while (last + 1 < list->n_cpus && list->cpus[last + 1] == list->cpus[last] + 1)
                        last++;
                (void) fprintf(stream, "%s%u", i > 0 ? "," : "", list->cpus[i]);
                if (last > i)
                        (void) fprintf(stream, "-%u", list->cpus[last]);
                i = last + 1;
        }
        if (fclose(stream) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(text);
        return 0;
}

int cpu_list_format_mask(const CpuList *list, char **ret) {
        CLEANUP_FREE uint32_t *words = NULL;
        CLEANUP_FREE char *text = NULL;
        size_t n_words = 1, at = 0, size;

        if (list->n_cpus > 0)
                n_words = list->cpus[list->n_cpus - 1] / MASK_WORD_BITS + 1;
        words = calloc(n_words, sizeof(*words));
        size = n_words * 9 + 1;
        text = malloc(size);
        if (!words || !text)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_cpus; i++)
                words[list->cpus[i] / MASK_WORD_BITS] |= 1U << list->cpus[i] % MASK_WORD_BITS;
        for (size_t i = n_words; i-- > 0;)
                at += (size_t) snprintf(text + at, size - at, at > 0 ? ",%08x" : "%x", words[i]);
        *ret = STEAL_PTR(text);
        return 0;
}
