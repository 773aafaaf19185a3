/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/user-rates.h"

#include <errno.h>
#include <stdlib.h>

#define USEC_PER_SEC 1000000U

/* Counts millionths, so that each microsecond adds whole numbers. */
typedef struct Bucket {
        uid_t uid;
        bool in_use;
        uint64_t used; /* millionths; 0: full */
        uint64_t last; /* when that was true */
} Bucket;

struct UserRates {
        Bucket total, others;
        Bucket users[USER_RATES_USERS];
};

static void refill(Bucket *bucket, uint64_t rate, uint64_t now) {
        const uint64_t elapsed = now - bucket->last;

        bucket->last = now;
        if (rate == 0 || elapsed >= bucket->used / rate + 1)
                bucket->used = 0;
        else
                bucket->used -= elapsed * rate;
}

static Bucket *find(UserRates *limit, uint64_t rate, uid_t uid, uint64_t now) {
        Bucket *usable = NULL;

        for (size_t i = 0; i < USER_RATES_USERS; i++) {
                Bucket *bucket = limit->users + i;

                if (bucket->in_use && bucket->uid == uid)
                        return bucket;
                if (usable)
                        continue;
                if (bucket->in_use)
                        refill(bucket, rate, now);
                if (!bucket->in_use || bucket->used == 0)
                        usable = bucket;
        }
        if (!usable)
                return &limit->others;
        *usable = (Bucket){ .uid = uid, .in_use = true, .last = now };
        return usable;
}

static bool has_one(const Bucket *bucket, uint64_t rate) {
        return rate == 0 || bucket->used + USEC_PER_SEC <= rate * USEC_PER_SEC;
}

static Bucket *look(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now, QuotaUse *ret) {
        Bucket *user = find(limit, rates->per_user, uid, now);

        refill(&limit->total, rates->total, now);
        refill(user, rates->per_user, now);
        *ret = (QuotaUse){
                .total = (limit->total.used + USEC_PER_SEC - 1) / USEC_PER_SEC,
                .of_user = (user->used + USEC_PER_SEC - 1) / USEC_PER_SEC,
        };
        return user;
}

bool user_rates_check(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now, QuotaUse *ret) {
        const Bucket *user = look(limit, rates, uid, now, ret);

        return has_one(&limit->total, rates->total) && (uid == 0 || has_one(user, rates->per_user));
}

void user_rates_charge(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t n, uint64_t now) {
        QuotaUse use;
        Bucket *user = look(limit, rates, uid, now, &use);

        limit->total.used += n * USEC_PER_SEC;
        user->used += n * USEC_PER_SEC;
}

bool user_rates_take(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now, QuotaUse *ret) {
        if (!user_rates_check(limit, rates, uid, now, ret))
                return false;
        user_rates_charge(limit, rates, uid, 1, now);
        return true;
}

QuotaUse user_rates_use(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now) {
        QuotaUse use;

        (void) look(limit, rates, uid, now, &use);
        return use;
}

int user_rates_new(UserRates **ret) {
        UserRates *limit = calloc(1, sizeof(*limit));

        if (!limit)
                return -ENOMEM;
        *ret = limit;
        return 0;
}

void user_rates_free(UserRates *limit) {
        free(limit);
}
