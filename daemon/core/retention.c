/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/retention.h"

/* What is left of the captures so far. */
typedef struct Totals {
        uint64_t bytes, n, freed;
} Totals;

static bool can_go(const RetentionItem *item) {
        return !item->kept && !item->chosen;
}

static void choose(RetentionItem *item, Totals *totals) {
        item->chosen = true;
        totals->bytes -= item->bytes;
        totals->freed += item->bytes;
        totals->n--;
}

static uint64_t use_of(const RetentionItem *items, size_t n, uid_t owner) {
        uint64_t bytes = 0;

        for (size_t i = 0; i < n; i++)
                if (items[i].owner == owner && !items[i].chosen)
                        bytes += items[i].bytes;
        return bytes;
}

static RetentionItem *oldest_of(RetentionItem *items, size_t n, uid_t owner, const RetentionItem *newest) {
        RetentionItem *oldest = NULL;

        for (size_t i = 0; i < n; i++)
                if (items[i].owner == owner && can_go(items + i) && items + i != newest &&
                    (!oldest || items[i].end < oldest->end))
                        oldest = items + i;
        return oldest;
}

/* The oldest of whoever takes most among those who have one that can go. */
static RetentionItem *oldest_of_greediest(RetentionItem *items, size_t n, const RetentionItem *newest) {
        RetentionItem *found = NULL;
        uint64_t most = 0;

        for (size_t i = 0; i < n; i++) {
                uint64_t use;

                if (!can_go(items + i) || items + i == newest)
                        continue;
                use = use_of(items, n, items[i].owner);
                if (!found || use > most || (items[i].owner == found->owner && items[i].end < found->end)) {
                        found = items + i;
                        most = use;
                }
        }
        return found;
}

static bool is_over(const RetentionLimits *limits, const Totals *totals) {
        return (limits->max_use > 0 && totals->bytes > limits->max_use) ||
               (limits->max_files > 0 && totals->n > limits->max_files) || totals->freed < limits->to_free;
}

void retention_choose(RetentionItem *items, size_t n, const RetentionLimits *limits, uint64_t now) {
        const RetentionItem *newest = NULL;
        Totals totals = { .n = n };
        RetentionItem *item;

        for (size_t i = 0; i < n; i++) {
                items[i].chosen = false;
                totals.bytes += items[i].bytes;
        }
        for (size_t i = 0; i < n; i++)
                if (limits->max_age > 0 && can_go(items + i) && items[i].end < now &&
                    now - items[i].end > limits->max_age)
                        choose(items + i, &totals);
        for (size_t i = 0; i < n; i++)
                if (can_go(items + i) && (!newest || items[i].end > newest->end))
                        newest = items + i;
        for (size_t i = 0; limits->max_use_per_user > 0 && i < n; i++)
                while (use_of(items, n, items[i].owner) > limits->max_use_per_user &&
                       (item = oldest_of(items, n, items[i].owner, newest)))
                        choose(item, &totals);
        while (is_over(limits, &totals) && (item = oldest_of_greediest(items, n, newest)))
                choose(item, &totals);
}
