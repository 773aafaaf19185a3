/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Quota: the arithmetic of budgets: what there is of, how much each user and all together may have, and the sentence
 * that says what is used when it is not enough. Pure; what is used the model counts.
 *
 * Root is bound by what all may have, not by what each user may.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "core/memory-info.h"
#include "core/settings.h"

typedef enum Budget {
        BUDGET_SESSIONS,
        BUDGET_BUFFER_MEMORY, /* bytes for each CPU, times CPUs */
        BUDGET_DISK,          /* bytes of captures in the store */
        BUDGET_SEGMENTS,      /* files in the store */
        BUDGET_HISTOGRAMS,    /* of sessions that run, as for the next */
        BUDGET_PROBES,        /* and events by queries */
        BUDGET_MARKERS,       /* open */
        BUDGET_STREAMS,       /* open */
        BUDGET_MEASUREMENTS,  /* of events' rates, under way */
        BUDGET_REQUESTS,      /* a second; nothing is held */
        BUDGET_SIGNALS,       /* likewise */
        _BUDGET_MAX,
} Budget;

/* 0: as much as one likes. */
typedef struct QuotaLimit {
        uint64_t total, per_user;
} QuotaLimit;

typedef struct QuotaUse {
        uint64_t total, of_user;
} QuotaUse;

/* "sessions": also the name in JSON. */
const char *budget_name(Budget budget);
/* The settings that it comes from; NULL: nobody can set it. */
const char *budget_setting(Budget budget, bool per_user);
bool budget_is_size(Budget budget);

/* What the settings say; where they leave it open, what suits the machine's memory. */
QuotaLimit quota_limit(const Settings *settings, const MemoryInfo *memory, Budget budget);

/* ERROR_QUOTA_EXCEEDED, with which budget, how much of it is used and what the limit is, when `wanted` more are too
 * many. */
int quota_check(Budget budget, const QuotaLimit *limit, const QuotaUse *use, uid_t uid, uint64_t wanted,
                Error *error);

/* The same for memory that the kernel is to set aside: there must be enough left of what is available. */
int quota_check_available(const Settings *settings, const MemoryInfo *memory, uint64_t wanted, Error *error);
