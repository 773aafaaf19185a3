/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/rate-limit.h"

static void test_interval(void **state) {
        RateLimit limit = { .interval = 100, .max = 1000 };

        assert_int_equal(rate_limit_next(&limit, 5), 5);
        rate_limit_take(&limit, 5);
        assert_int_equal(rate_limit_next(&limit, 5), 105);
        assert_int_equal(rate_limit_next(&limit, 104), 105);
        assert_int_equal(rate_limit_next(&limit, 105), 105);
        assert_int_equal(rate_limit_next(&limit, 300), 300);
}

static void test_daily_maximum(void **state) {
        RateLimit limit = { .interval = 10, .max = 3 };

        for (uint64_t now = 1000; now < 1030; now += 10) {
                assert_int_equal(rate_limit_next(&limit, now), now);
                rate_limit_take(&limit, now);
        }
        assert_int_equal(rate_limit_next(&limit, 1030), 1000 + RATE_LIMIT_DAY);
        assert_int_equal(rate_limit_next(&limit, 1000 + RATE_LIMIT_DAY), 1000 + RATE_LIMIT_DAY);
        rate_limit_take(&limit, 1000 + RATE_LIMIT_DAY);
        assert_int_equal(rate_limit_next(&limit, 1010 + RATE_LIMIT_DAY), 1010 + RATE_LIMIT_DAY);
        assert_int_equal(limit.n, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_interval),
                cmocka_unit_test(test_daily_maximum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
