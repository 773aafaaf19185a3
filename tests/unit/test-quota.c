/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/quota.h"

#define GIB (1ULL << 30)
#define CPUS 256U

static int setup(void **state) {
        Settings *settings = calloc(1, sizeof(*settings));

        if (!settings || settings_init(settings) < 0)
                return -1;
        *state = settings;
        return 0;
}

static int teardown(void **state) {
        settings_clear(*state);
        free(*state);
        return 0;
}

static void test_each_budget_has_a_name_and_limits(void **state) {
        const MemoryInfo memory = { .total = 8 * GIB, .available = 4 * GIB };

        for (unsigned budget = 0; budget < _BUDGET_MAX; budget++) {
                QuotaLimit limit = quota_limit(*state, &memory, (Budget) budget);

                assert_non_null(budget_name((Budget) budget));
                assert_non_null(budget_setting((Budget) budget, true));
                assert_contains(budget_setting((Budget) budget, false), "_max");
                assert_true(limit.total > 0);
                /* The disk is shared by who takes most making room. */
                assert_true(budget == BUDGET_DISK ? limit.per_user == 0
                                                  : limit.per_user > 0 && limit.per_user <= limit.total);
                assert_int_equal(budget_is_size((Budget) budget),
                                 budget == BUDGET_DISK || budget == BUDGET_BUFFER_MEMORY);
        }
}

/* A session of the default size fits in several times, on a laptop and on a server with very many CPUs. */
static void test_defaults_suit_small_and_large_machines(void **state) {
        const MemoryInfo laptop = { .total = 8 * GIB }, server = { .total = 1024 * GIB }, small = { .total = GIB };
        const Settings *settings = *state;

        assert_int_equal(quota_limit(settings, &laptop, BUDGET_BUFFER_MEMORY).total, GIB);
        assert_int_equal(quota_limit(settings, &laptop, BUDGET_BUFFER_MEMORY).per_user, GIB / 2);
        assert_true(quota_limit(settings, &server, BUDGET_BUFFER_MEMORY).per_user / (settings->buffer_size * CPUS) >=
                    settings->sessions_per_user_max);
        assert_true(quota_limit(settings, &small, BUDGET_BUFFER_MEMORY).per_user / (settings->buffer_size * 2) >= 8);
}

static void test_what_is_set_counts(void **state) {
        const MemoryInfo memory = { .total = 8 * GIB };
        Settings *settings = *state;

        settings->buffer_memory_max = GIB / 4;
        assert_int_equal(quota_limit(settings, &memory, BUDGET_BUFFER_MEMORY).total, GIB / 4);
        assert_int_equal(quota_limit(settings, &memory, BUDGET_BUFFER_MEMORY).per_user, GIB / 8);
        settings->buffer_memory_per_user_max = GIB;
        assert_int_equal(quota_limit(settings, &memory, BUDGET_BUFFER_MEMORY).per_user, GIB);
}

static void test_check(void **state) {
        const QuotaLimit limit = { .total = 10, .per_user = 4 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        QuotaUse use = { .total = 8, .of_user = 3 };

        assert_succeeds(quota_check(BUDGET_PROBES, &limit, &use, 1000, 1, &error), &error);
        assert_fails(quota_check(BUDGET_PROBES, &limit, &use, 1000, 2, &error), &error, ERROR_QUOTA_EXCEEDED,
                     "probes: 2 more are wanted, but user 1000 uses 3 of the 4 that probes_per_user_max allows");
        assert_succeeds(quota_check(BUDGET_PROBES, &limit, &use, 0, 2, &error), &error);
        assert_fails(quota_check(BUDGET_PROBES, &limit, &use, 0, 3, &error), &error, ERROR_QUOTA_EXCEEDED,
                     "probes: 3 more are wanted, but all users use 8 of the 10 that probes_max allows");

        /* Settings can become smaller than what is used, and numbers as large as they like. */
        use = (QuotaUse){ .total = 11, .of_user = 11 };
        assert_fails(quota_check(BUDGET_PROBES, &limit, &use, 1000, 0, &error), &error, ERROR_QUOTA_EXCEEDED,
                     "probes: user 1000 uses 11 of the 4 that probes_per_user_max allows");
        assert_true(quota_check(BUDGET_PROBES, &limit, &(QuotaUse){ 1, 1 }, 1000, UINT64_MAX, &error) < 0);
        error_clear(&error);
        assert_succeeds(quota_check(BUDGET_DISK, &(QuotaLimit){ 0 }, &use, 1000, UINT64_MAX, &error), &error);
}

static void test_sizes_are_shown_as_such(void **state) {
        const QuotaLimit limit = { .total = 64 << 20 };
        const QuotaUse use = { .total = 32 << 20 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(
                quota_check(BUDGET_BUFFER_MEMORY, &limit, &use, 1, 48 << 20, &error), &error, ERROR_QUOTA_EXCEEDED,
                "buffer_memory: 48M more are wanted, but all users use 32M of the 64M that buffer_memory_max allows");
}

static void test_available_memory(void **state) {
        MemoryInfo memory = { .total = 16 * GIB, .available = 2 * GIB };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Settings *settings = *state;

        assert_succeeds(quota_check_available(settings, &memory, GIB, &error), &error);
        assert_fails(quota_check_available(settings, &memory, GIB + 1, &error), &error, ERROR_QUOTA_EXCEEDED,
                     "are available, of which memory_keep_available leaves 1G alone");
        settings->memory_keep_available = 2 * GIB;
        assert_fails(quota_check_available(settings, &memory, 1, &error), &error, ERROR_QUOTA_EXCEEDED, "2G alone");
        assert_fails(quota_check_available(settings, &memory, UINT64_MAX, &error), &error, ERROR_QUOTA_EXCEEDED, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_each_budget_has_a_name_and_limits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_defaults_suit_small_and_large_machines, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_is_set_counts, setup, teardown),
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_sizes_are_shown_as_such),
                cmocka_unit_test_setup_teardown(test_available_memory, setup, teardown),
        };

        return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
