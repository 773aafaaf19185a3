/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/retention.h"

#define NOW 1000000U

/* Of the items, in the order of their ends: who is chosen, as a string of '.' and 'x'. */
static void check(RetentionItem *items, size_t n, RetentionLimits limits, const char *expected) {
        char chosen[32] = "";

        retention_choose(items, n, &limits, NOW);
        for (size_t i = 0; i < n; i++)
                chosen[i] = items[i].chosen ? 'x' : '.';
        assert_string_equal(chosen, expected);
}

static void test_no_limits(void **state) {
        RetentionItem items[] = { { .owner = 1, .bytes = 100, .end = 1 }, { .owner = 2, .bytes = 100, .end = 2 } };

        check(items, 2, (RetentionLimits){ 0 }, "..");
        check(items, 0, (RetentionLimits){ .max_use = 1 }, "");
}

static void test_use(void **state) {
        RetentionItem items[] = {
                { .owner = 1, .bytes = 10, .end = 3 },
                { .owner = 1, .bytes = 20, .end = 1 },
                { .owner = 1, .bytes = 30, .end = 2 },
        };

        check(items, 3, (RetentionLimits){ .max_use = 60 }, "...");
        check(items, 3, (RetentionLimits){ .max_use = 59 }, ".x.");
        check(items, 3, (RetentionLimits){ .max_use = 39 }, ".xx");
        /* The newest stays, however large. */
        check(items, 3, (RetentionLimits){ .max_use = 1 }, ".xx");
        check(items, 3, (RetentionLimits){ .max_files = 2 }, ".x.");
        check(items, 3, (RetentionLimits){ .to_free = 20 }, ".x.");
        check(items, 3, (RetentionLimits){ .to_free = 21 }, ".xx");
}

static void test_the_greediest_first(void **state) {
        RetentionItem items[] = {
                { .owner = 1, .bytes = 10, .end = 1 },  { .owner = 2, .bytes = 100, .end = 2 },
                { .owner = 2, .bytes = 100, .end = 3 }, { .owner = 1, .bytes = 10, .end = 4 },
                { .owner = 2, .bytes = 100, .end = 5 },
        };

        check(items, 5, (RetentionLimits){ .max_use = 250 }, ".x...");
        check(items, 5, (RetentionLimits){ .max_use = 150 }, ".xx..");
        /* Only then the other's. */
        check(items, 5, (RetentionLimits){ .max_use = 110 }, "xxx..");
        check(items, 5, (RetentionLimits){ .max_use_per_user = 100 }, ".xx..");
        check(items, 5, (RetentionLimits){ .max_use_per_user = 15 }, "xxx..");
}

static void test_what_stays(void **state) {
        RetentionItem items[] = {
                { .owner = 1, .bytes = 100, .end = 1, .kept = true },
                { .owner = 1, .bytes = 10, .end = 2 },
                { .owner = 1, .bytes = 10, .end = 3 },
        };

        check(items, 3, (RetentionLimits){ .max_use = 50 }, ".x.");
        check(items, 3, (RetentionLimits){ .max_age = 1 }, ".xx");
}

static void test_age(void **state) {
        RetentionItem items[] = {
                { .owner = 1, .bytes = 1, .end = NOW - 100 },
                { .owner = 1, .bytes = 1, .end = NOW - 99 },
                { .owner = 1, .bytes = 1, .end = NOW + 5 }, /* the clock was set back */
        };

        check(items, 3, (RetentionLimits){ .max_age = 99 }, "x..");
        check(items, 3, (RetentionLimits){ .max_age = 1000 }, "...");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_limits),
                cmocka_unit_test(test_use),
                cmocka_unit_test(test_the_greediest_first),
                cmocka_unit_test(test_what_stays),
                cmocka_unit_test(test_age),
        };

        return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
