/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * UserRates: how many things a second each user, and all together, may have. A bucket for each holds as many as come
 * in a second and fills at that rate; so a burst is taken, and then the rate holds.
 *
 * Plain data, no clock: `now` is passed, in microseconds of any clock that does not go back.
 *
 * Life cycle: user_rates_new(); user_rates_take() for each request, user_rates_charge() for what happens anyhow;
 * user_rates_free().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/quota.h"
#include "ktraced/cleanup.h"

/* Users that are told apart at one time; what comes beside these shares one bucket. */
#define USER_RATES_USERS 256U

typedef struct UserRates UserRates;

/* -ENOMEM. */
int user_rates_new(UserRates **ret);
void user_rates_free(UserRates *limit);
DEFINE_POINTER_CLEANUP(UserRates, user_rates_free);

/* Takes one of each bucket. False: one is empty, nothing was taken, and *ret says what was used in the last second.
 * A limit of 0 is none; root is only bound by the total. */
bool user_rates_take(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now, QuotaUse *ret);

/* Takes `n` of each bucket, which may become less than empty. */
void user_rates_charge(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t n, uint64_t now);

/* Whether there is something in each bucket; like user_rates_take(), but takes nothing. */
bool user_rates_check(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now, QuotaUse *ret);

/* What is used of each second's at present. */
QuotaUse user_rates_use(UserRates *limit, const QuotaLimit *rates, uid_t uid, uint64_t now);
