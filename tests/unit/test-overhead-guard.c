/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/overhead-guard.h"

#define SEC UINT64_C(1000000)

static void test_within(void **state) {
        OverheadGuard guard = { .max_rate = 1000, .grace = 2 * SEC, .n_cpus = 2 };

        assert_int_equal(overhead_guard_look(&guard, 500000, 100 * SEC), OVERHEAD_WITHIN);
        assert_int_equal(guard.rate, 0);
        assert_int_equal(overhead_guard_look(&guard, 501000, 101 * SEC), OVERHEAD_WITHIN);
        assert_int_equal(guard.rate, 1000);
        assert_true(overhead_guard_is_near(&guard));
        assert_int_equal(overhead_guard_look(&guard, 501400, 102 * SEC), OVERHEAD_WITHIN);
        assert_false(overhead_guard_is_near(&guard));
}

static void test_exceeded_after_the_grace_time(void **state) {
        OverheadGuard guard = { .max_rate = 1000, .grace = 2 * SEC, .n_cpus = 2 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        assert_int_equal(overhead_guard_look(&guard, 1001, 101 * SEC), OVERHEAD_OVER);
        assert_int_equal(overhead_guard_look(&guard, 3000, 102 * SEC), OVERHEAD_EXCEEDED);
        assert_int_equal(overhead_guard_look(&guard, 3100, 103 * SEC), OVERHEAD_WITHIN);
        /* And from the beginning. */
        assert_int_equal(overhead_guard_look(&guard, 9000, 104 * SEC), OVERHEAD_OVER);
}

static void test_something_is_done(void **state) {
        OverheadGuard guard = { .max_rate = 1000, .grace = 2 * SEC, .n_cpus = 2 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        assert_int_equal(overhead_guard_look(&guard, 20000, 102 * SEC), OVERHEAD_OVER);
        assert_int_equal(overhead_guard_look(&guard, 30000, 103 * SEC), OVERHEAD_EXCEEDED);
        overhead_guard_restart(&guard, 103 * SEC);
        /* What comes in may still be of before. */
        assert_int_equal(overhead_guard_look(&guard, 39000, 103 * SEC + SEC / 2), OVERHEAD_OVER);
        assert_int_equal(overhead_guard_look(&guard, 40000, 104 * SEC), OVERHEAD_WITHIN);
        assert_int_equal(overhead_guard_look(&guard, 41500, 105 * SEC), OVERHEAD_OVER);
        assert_int_equal(guard.rate, 1500);
        assert_int_equal(overhead_guard_look(&guard, 43000, 106 * SEC), OVERHEAD_EXCEEDED);
        overhead_guard_restart(&guard, 106 * SEC);
        assert_int_equal(overhead_guard_look(&guard, 44000, 107 * SEC), OVERHEAD_WITHIN);
        assert_int_equal(overhead_guard_look(&guard, 45000, 108 * SEC), OVERHEAD_WITHIN);
}

static void test_no_grace_time(void **state) {
        OverheadGuard guard = { .max_rate = 1000, .n_cpus = 2 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        assert_int_equal(overhead_guard_look(&guard, 1001, 101 * SEC), OVERHEAD_EXCEEDED);
}

static void test_a_long_time_between_looks(void **state) {
        OverheadGuard guard = { .max_rate = 1000, .grace = 10 * SEC, .n_cpus = 2 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        /* For a minute on average: but when in it? */
        assert_int_equal(overhead_guard_look(&guard, 120000, 160 * SEC), OVERHEAD_OVER);
        assert_int_equal(guard.rate, 2000);
        assert_true(overhead_guard_is_near(&guard));
        assert_int_equal(overhead_guard_look(&guard, 136000, 168 * SEC), OVERHEAD_OVER);
        assert_int_equal(overhead_guard_look(&guard, 138000, 169 * SEC), OVERHEAD_EXCEEDED);
}

static void test_looks_that_tell_nothing(void **state) {
        OverheadGuard guard = { .max_rate = 1000, .grace = SEC, .n_cpus = 2 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        assert_int_equal(overhead_guard_look(&guard, 9000, 100 * SEC + 1000), OVERHEAD_WITHIN);
        assert_int_equal(overhead_guard_look(&guard, 9000, 101 * SEC), OVERHEAD_EXCEEDED);
        assert_int_equal(guard.rate, 9000);
        /* The counters began anew. */
        assert_int_equal(overhead_guard_look(&guard, 10, 102 * SEC), OVERHEAD_WITHIN);
        assert_int_equal(overhead_guard_look(&guard, 20, 103 * SEC), OVERHEAD_WITHIN);
        assert_int_equal(guard.rate, 10);
}

static void test_share(void **state) {
        OverheadGuard guard = { .max_share = OVERHEAD_WHOLE / 100, .grace = SEC, .n_cpus = 2 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        /* Little, on any machine. */
        assert_int_equal(overhead_guard_look(&guard, 4000, 101 * SEC), OVERHEAD_WITHIN);
        assert_false(overhead_guard_wants_cost(&guard));
        assert_false(overhead_guard_is_near(&guard));
        /* Much, if an event costs much. */
        assert_int_equal(overhead_guard_look(&guard, 204000, 102 * SEC), OVERHEAD_WITHIN);
        assert_true(overhead_guard_wants_cost(&guard));
        assert_true(overhead_guard_is_near(&guard));
        overhead_guard_set_cost(&guard, 200);
        assert_int_equal(guard.share, 2 * OVERHEAD_WHOLE / 100);
        assert_int_equal(guard.state, OVERHEAD_WITHIN);
        assert_int_equal(overhead_guard_look(&guard, 404000, 103 * SEC), OVERHEAD_EXCEEDED);
        assert_int_equal(guard.share, 2 * OVERHEAD_WHOLE / 100);
        assert_false(overhead_guard_wants_cost(&guard));
        guard.cost = 50;
        assert_int_equal(overhead_guard_look(&guard, 604000, 104 * SEC), OVERHEAD_WITHIN);
}

static void test_no_limits(void **state) {
        OverheadGuard guard = { .grace = SEC, .cost = 1000, .n_cpus = 1 };

        (void) overhead_guard_look(&guard, 0, 100 * SEC);
        assert_int_equal(overhead_guard_look(&guard, UINT64_C(1) << 40, 101 * SEC), OVERHEAD_WITHIN);
        assert_false(overhead_guard_is_near(&guard));
}

static void test_policies(void **state) {
        for (OverheadPolicy policy = OVERHEAD_WARN; policy <= OVERHEAD_STOP; policy++) {
                assert_true(overhead_policy_is_valid(overhead_policy_to_string(policy)));
                assert_int_equal(overhead_policy_from_string(overhead_policy_to_string(policy)), policy);
        }
        assert_false(overhead_policy_is_valid(""));
        assert_false(overhead_policy_is_valid("Stop"));
        assert_int_equal(overhead_policy_from_string("none"), OVERHEAD_WARN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_within),
                cmocka_unit_test(test_exceeded_after_the_grace_time),
                cmocka_unit_test(test_something_is_done),
                cmocka_unit_test(test_no_grace_time),
                cmocka_unit_test(test_a_long_time_between_looks),
                cmocka_unit_test(test_looks_that_tell_nothing),
                cmocka_unit_test(test_share),
                cmocka_unit_test(test_no_limits),
                cmocka_unit_test(test_policies),
        };

        return cmocka_run_group_tests_name("overhead-guard", tests, NULL, NULL);
}
