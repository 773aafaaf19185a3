/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/rate-limit.h"

uint64_t rate_limit_next(const RateLimit *limit, uint64_t now) {
        uint64_t next = now;

        if (limit->last == 0)
                return now;
        if (limit->last + limit->interval > next)
                next = limit->last + limit->interval;
        if (limit->n >= limit->max && limit->begun + RATE_LIMIT_DAY > next)
                next = limit->begun + RATE_LIMIT_DAY;
        return next;
}

void rate_limit_take(RateLimit *limit, uint64_t now) {
        if (limit->n == 0 || now >= limit->begun + RATE_LIMIT_DAY) {
                limit->begun = now;
                limit->n = 0;
        }
        limit->last = now;
        limit->n++;
}
