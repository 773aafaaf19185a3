/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/quota.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "core/parse.h"

/* Ring buffers cannot be swapped out. On a laptop with 8 GiB these come to 1 GiB for all; on a server with 256 CPUs
 * and 1 TiB to 128 GiB, which is that of 128 sessions of 4 MiB for each CPU. */
#define MEMORY_SHARE 8U            /* of the machine's memory, for all */
#define USER_SHARE 2U              /* of that, for each user */
#define MEMORY_AVAILABLE_SHARE 16U /* of the machine's memory, to be left */

typedef struct BudgetInfo {
        const char *name;
        const char *total_setting, *user_setting;
        size_t total_offset, user_offset; /* in Settings */
        bool is_size;
} BudgetInfo;

#define SETTINGS(total, per_user)                                                                      \
        .total_setting = #total, .user_setting = #per_user, .total_offset = offsetof(Settings, total), \
        .user_offset = offsetof(Settings, per_user)

static const BudgetInfo budgets[_BUDGET_MAX] = {
        [BUDGET_SESSIONS] = { .name = "sessions", SETTINGS(sessions_max, sessions_per_user_max) },
        [BUDGET_BUFFER_MEMORY] = { .name = "buffer_memory",
                                   SETTINGS(buffer_memory_max, buffer_memory_per_user_max),
                                   .is_size = true },
        [BUDGET_DISK] = { .name = "disk", SETTINGS(captures_max_use, captures_max_use_per_user), .is_size = true },
        [BUDGET_SEGMENTS] = { .name = "segments", SETTINGS(segments_max, segments_per_user_max) },
        [BUDGET_HISTOGRAMS] = { .name = "histograms", SETTINGS(histograms_max, histograms_per_user_max) },
        [BUDGET_PROBES] = { .name = "probes", SETTINGS(probes_max, probes_per_user_max) },
        [BUDGET_MARKERS] = { .name = "markers", SETTINGS(markers_max, markers_per_user_max) },
        [BUDGET_STREAMS] = { .name = "streams", SETTINGS(streams_max, streams_per_user_max) },
        [BUDGET_MEASUREMENTS] = { .name = "measurements", SETTINGS(measurements_max, measurements_per_user_max) },
        [BUDGET_REQUESTS] = { .name = "requests", SETTINGS(requests_max, requests_per_user_max) },
        [BUDGET_SIGNALS] = { .name = "signals", SETTINGS(signals_max, signals_per_user_max) },
};

const char *budget_name(Budget budget) {
        return budgets[budget].name;
}

const char *budget_setting(Budget budget, bool per_user) {
        return per_user ? budgets[budget].user_setting : budgets[budget].total_setting;
}

bool budget_is_size(Budget budget) {
        return budgets[budget].is_size;
}

static uint64_t setting_at(const Settings *settings, size_t offset) {
        return *(const uint64_t *) ((const char *) settings + offset);
}

QuotaLimit quota_limit(const Settings *settings, const MemoryInfo *memory, Budget budget) {
        QuotaLimit limit = {
                .total = setting_at(settings, budgets[budget].total_offset),
                .per_user = setting_at(settings, budgets[budget].user_offset),
        };

        if (budget != BUDGET_BUFFER_MEMORY)
                return limit;
        if (limit.total == 0)
                limit.total = memory->total / MEMORY_SHARE;
        if (limit.per_user == 0)
                limit.per_user = limit.total / USER_SHARE;
        return limit;
}

static const char *show(Budget budget, uint64_t n, char *text, size_t size) {
        if (budgets[budget].is_size)
                return format_size(n, text, size);
        (void) snprintf(text, size, "%" PRIu64, n);
        return text;
}

static bool fits(uint64_t limit, uint64_t used, uint64_t wanted) {
        return limit == 0 || (used <= limit && wanted <= limit - used);
}

int quota_check(Budget budget, const QuotaLimit *limit, const QuotaUse *use, uid_t uid, uint64_t wanted,
                Error *error) {
        const BudgetInfo *info = budgets + budget;
        char wanted_text[24], used_text[24], limit_text[24], more[48] = "", user[24] = "all users use";
        const bool is_total = uid == 0 || fits(limit->per_user, use->of_user, wanted);

        if (is_total && fits(limit->total, use->total, wanted))
                return 0;
        if (wanted > 0)
                (void) snprintf(more, sizeof(more), "%s more are wanted, but ",
                                show(budget, wanted, wanted_text, sizeof(wanted_text)));
        if (!is_total)
                (void) snprintf(user, sizeof(user), "user %u uses", (unsigned) uid);
        return error_set(error, ERROR_QUOTA_EXCEEDED, "%s: %s%s %s of the %s that %s allows", info->name, more, user,
                         show(budget, is_total ? use->total : use->of_user, used_text, sizeof(used_text)),
                         show(budget, is_total ? limit->total : limit->per_user, limit_text, sizeof(limit_text)),
                         is_total ? info->total_setting : info->user_setting);
}

int quota_check_available(const Settings *settings, const MemoryInfo *memory, uint64_t wanted, Error *error) {
        const uint64_t keep = settings->memory_keep_available > 0 ? settings->memory_keep_available
                                                                  : memory->total / MEMORY_AVAILABLE_SHARE;
        char wanted_text[16], available_text[16], keep_text[16];

        if (wanted <= memory->available && keep <= memory->available - wanted)
                return 0;
        return error_set(error, ERROR_QUOTA_EXCEEDED,
                         "buffer_memory: %s more are wanted, but of the machine's memory %s are available, of which "
                         "memory_keep_available leaves %s alone",
                         format_size(wanted, wanted_text, sizeof(wanted_text)),
                         format_size(memory->available, available_text, sizeof(available_text)),
                         format_size(keep, keep_text, sizeof(keep_text)));
}
