/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/decision-limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct KindEntry {
        DecisionKind kind;
        uint64_t begin;
        uint64_t n; /* since then; 0: the entry is free */
} KindEntry;

struct DecisionLimit {
        KindEntry kinds[DECISION_LIMIT_KINDS];
        KindEntry others;
};

static bool is_over(const KindEntry *entry, uint64_t now) {
        return now >= entry->begin + DECISION_LIMIT_INTERVAL;
}

static uint64_t count_of(const KindEntry *entry) {
        return entry->n > DECISION_LIMIT_BURST ? entry->n - DECISION_LIMIT_BURST : 0;
}

static bool is_of_kind(const KindEntry *entry, const DecisionKind *kind) {
        return entry->n > 0 && entry->kind.caller == kind->caller && strcmp(entry->kind.action, kind->action) == 0 &&
               strcmp(entry->kind.outcome, kind->outcome) == 0;
}

static KindEntry *find(DecisionLimit *limit, const DecisionKind *kind, uint64_t now) {
        KindEntry *usable = NULL;

        for (size_t i = 0; i < DECISION_LIMIT_KINDS; i++) {
                KindEntry *entry = limit->kinds + i;

                if (is_of_kind(entry, kind))
                        return entry;
                if (!usable && (entry->n == 0 || (is_over(entry, now) && count_of(entry) == 0)))
                        usable = entry;
        }
        if (!usable)
                return &limit->others;
        *usable = (KindEntry){ .kind = *kind };
        return usable;
}

bool decision_limit_take(DecisionLimit *limit, const DecisionKind *kind, uint64_t now) {
        KindEntry *entry = find(limit, kind, now);

        /* With a count it stays until that is popped, or it would be lost. */
        if (entry->n == 0 || (is_over(entry, now) && count_of(entry) == 0)) {
                entry->begin = now;
                entry->n = 0;
        }
        return ++entry->n <= DECISION_LIMIT_BURST;
}

static KindEntry *find_due(DecisionLimit *limit, uint64_t now, bool all) {
        for (size_t i = 0; i < DECISION_LIMIT_KINDS; i++)
                if (count_of(limit->kinds + i) > 0 && (all || is_over(limit->kinds + i, now)))
                        return limit->kinds + i;
        return count_of(&limit->others) > 0 && (all || is_over(&limit->others, now)) ? &limit->others : NULL;
}

bool decision_limit_pop(DecisionLimit *limit, uint64_t now, bool all, DecisionKind *ret_kind, uint64_t *ret_count) {
        KindEntry *entry = find_due(limit, now, all);

        if (!entry)
                return false;
        *ret_kind = entry->kind;
        *ret_count = count_of(entry);
        *entry = (KindEntry){ 0 };
        return true;
}

uint64_t decision_limit_due(const DecisionLimit *limit) {
        uint64_t due = UINT64_MAX;

        if (count_of(&limit->others) > 0)
                due = limit->others.begin + DECISION_LIMIT_INTERVAL;
        for (size_t i = 0; i < DECISION_LIMIT_KINDS; i++)
                if (count_of(limit->kinds + i) > 0 && limit->kinds[i].begin + DECISION_LIMIT_INTERVAL < due)
                        due = limit->kinds[i].begin + DECISION_LIMIT_INTERVAL;
        return due;
}

int decision_limit_new(DecisionLimit **ret) {
        DecisionLimit *limit = calloc(1, sizeof(*limit));

        if (!limit)
                return -ENOMEM;
        *ret = limit;
        return 0;
}

void decision_limit_free(DecisionLimit *limit) {
        free(limit);
}
