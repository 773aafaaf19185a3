/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/pid-span.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/parse.h"
#include "ktraced/cleanup.h"

#define USEC_PER_TASK_ALONE 2U /* on one CPU */
#define USEC_PER_TASK 1U
/* Numbers below are given once only (RESERVED_PIDS, include/linux/pid.h). */
#define RESERVED 300

int pid_span_parse_newest(const char *loadavg, pid_t *ret) {
        const char *space = strrchr(loadavg, ' ');
        CLEANUP_FREE char *word = NULL;
        uint64_t number;

        if (!space)
                return -EBADMSG;
        word = strndup(space + 1, strcspn(space + 1, "\n"));
        if (!word)
                return -ENOMEM;
        if (parse_unsigned(word, &number) < 0 || number > INT_MAX)
                return -EBADMSG;
        *ret = (pid_t) number;
        return 0;
}

bool pid_span_contains(pid_t before, pid_t newest, pid_t pid) {
        if (before <= newest)
                return before < pid && pid <= newest;
        return before < pid || pid <= newest;
}

uint64_t pid_span_round(pid_t pid_max, unsigned n_cpus) {
        if (pid_max <= RESERVED || n_cpus == 0)
                return 0;
        return (uint64_t) (pid_max - RESERVED) * (n_cpus > 1 ? USEC_PER_TASK : USEC_PER_TASK_ALONE);
}
