/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/user-rates.h"

#define SEC 1000000ULL

static const QuotaLimit rates = { .total = 30, .per_user = 10 };

static unsigned take_many(UserRates *limit, uid_t uid, unsigned n, uint64_t now) {
        unsigned taken = 0;
        QuotaUse use;

        for (unsigned i = 0; i < n; i++)
                taken += user_rates_take(limit, &rates, uid, now, &use);
        return taken;
}

static void test_burst_then_rate(void **state) {
        CLEANUP(user_rates_freep) UserRates *limit = NULL;
        QuotaUse use;

        assert_int_equal(user_rates_new(&limit), 0);
        assert_int_equal(take_many(limit, 1000, 100, 5), 10);
        assert_false(user_rates_take(limit, &rates, 1000, 5, &use));
        assert_int_equal(use.of_user, 10);
        assert_int_equal(take_many(limit, 1000, 100, 5 + SEC / 2), 5);
        assert_int_equal(take_many(limit, 1000, 100, 5 + SEC / 2 + SEC / 10 - 1), 0);
        assert_int_equal(take_many(limit, 1000, 100, 5 + SEC / 2 + SEC / 10), 1);
        assert_int_equal(take_many(limit, 1000, 100, 5 + 1000ULL * SEC), 10);
        assert_int_equal(user_rates_use(limit, &rates, 1000, 5 + 2000ULL * SEC).of_user, 0);
}

static void test_users_share_the_total(void **state) {
        CLEANUP(user_rates_freep) UserRates *limit = NULL;
        QuotaUse use;

        assert_int_equal(user_rates_new(&limit), 0);
        for (uid_t uid = 1; uid <= 3; uid++)
                assert_int_equal(take_many(limit, uid, 10, 0), 10);
        assert_false(user_rates_take(limit, &rates, 4, 0, &use));
        assert_int_equal(use.total, 30);
        assert_int_equal(use.of_user, 0);
}

/* Signals cannot be taken back: who causes too many waits longer. */
static void test_charge_goes_below_empty(void **state) {
        CLEANUP(user_rates_freep) UserRates *limit = NULL;
        QuotaUse use;

        assert_int_equal(user_rates_new(&limit), 0);
        user_rates_charge(limit, &rates, 1000, 25, 0);
        assert_false(user_rates_check(limit, &rates, 1000, SEC, &use));
        assert_true(user_rates_check(limit, &rates, 1001, SEC, &use));
        assert_true(user_rates_check(limit, &rates, 1000, 2 * SEC, &use));
}

/* Those without a bucket of their own share one; a bucket that is full again is anybody's. */
static void test_more_users_than_buckets(void **state) {
        const QuotaLimit many = { .total = 0, .per_user = 10 };
        CLEANUP(user_rates_freep) UserRates *limit = NULL;
        unsigned taken = 0;
        QuotaUse use;

        assert_int_equal(user_rates_new(&limit), 0);
        for (uid_t uid = 0; uid < 2 * USER_RATES_USERS; uid++)
                taken += user_rates_take(limit, &many, uid + 1, 0, &use);
        assert_int_equal(taken, USER_RATES_USERS + 10);
        assert_true(user_rates_take(limit, &many, 5000, 10 * SEC, &use));
        assert_int_equal(use.of_user, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_burst_then_rate),
                cmocka_unit_test(test_users_share_the_total),
                cmocka_unit_test(test_charge_goes_below_empty),
                cmocka_unit_test(test_more_users_than_buckets),
        };

        return cmocka_run_group_tests_name("user-rates", tests, NULL, NULL);
}
