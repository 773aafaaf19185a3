/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>

#include "core/watch-limits.h"

#define SEC UINT64_C(1000000)
#define DAY RATE_LIMIT_DAY
/* An hour after the boot. */
#define CLOCK (WATCH_CLOCK_BOOT + 3600 * SEC)
#define TODAY (UINT64_C(1795500000) * SEC)

static RateLimit fired(uint64_t n, uint64_t begun, uint64_t last) {
        return (RateLimit){ .interval = 60 * SEC, .max = 3, .n = n, .begun = begun, .last = last };
}

/* Of "w" of the session "s" of root: thrice, the first time ten minutes ago. */
static char *format(const char *boot_id) {
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 };
        RateLimit first = fired(1, CLOCK - 600 * SEC, CLOCK - 600 * SEC), last = fired(3, first.begun, CLOCK);
        char *text = NULL;

        assert_int_equal(watch_limits_set(&limits, 0, "s", "w", &first, TODAY - 600 * SEC), 0);
        assert_int_equal(watch_limits_set(&limits, 0, "s", "w", &last, TODAY), 0);
        assert_int_equal(limits.n_limits, 1);
        assert_int_equal(watch_limits_format(&limits, boot_id, &text), 0);
        return text;
}

/* How long after `now` it is permitted again. */
static uint64_t wait_at(const char *text, uint64_t clock, uint64_t realtime, const char *boot_id) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 };
        const WatchTime now = { .boot_id = boot_id, .clock = clock, .realtime = realtime };
        const WatchLimit *found;
        RateLimit limit;

        assert_succeeds(watch_limits_parse(text, "file", &now, &error, &limits), &error);
        found = watch_limits_find(&limits, 0, "s", "w");
        assert_non_null(found);
        assert_int_equal(found->last_realtime, TODAY);
        assert_null(watch_limits_find(&limits, 1, "s", "w"));
        assert_null(watch_limits_find(&limits, 0, "s", "v"));
        assert_null(watch_limits_find(&limits, 0, "t", "w"));
        limit = fired(found->limit.n, found->limit.begun, found->limit.last);
        return rate_limit_next(&limit, clock) - clock;
}

static void test_same_boot(void **state) {
        CLEANUP_FREE char *text = format("this");

        assert_int_equal(wait_at(text, CLOCK + 20 * SEC, TODAY + 20 * SEC, "this"), DAY - 620 * SEC);
        /* Whatever the clock of the day says. */
        assert_int_equal(wait_at(text, CLOCK + 20 * SEC, TODAY + 30 * DAY, "this"), DAY - 620 * SEC);
        assert_int_equal(wait_at(text, CLOCK + 20 * SEC, 0, "this"), DAY - 620 * SEC);
        assert_int_equal(wait_at(text, CLOCK + DAY, TODAY, "this"), 0);
}

static void test_another_boot(void **state) {
        CLEANUP_FREE char *text = format("other");
        uint64_t boot = WATCH_CLOCK_BOOT + 20 * SEC;

        assert_int_equal(wait_at(text, boot, TODAY + 90 * SEC, "this"), DAY - 690 * SEC);
        assert_int_equal(wait_at(text, boot, TODAY - 600 * SEC + DAY, "this"), 0);
        /* A clock that was set back: as if all of that had been now. */
        assert_int_equal(wait_at(text, boot, TODAY - 30 * DAY, "this"), DAY);
        assert_int_equal(wait_at(text, boot, UINT64_MAX, "this"), 0);
}

/* What was restored is written once more in the new boot, and read again. */
static void test_twice(void **state) {
        CLEANUP_FREE char *text = format("other"), *again = NULL;
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 };
        const WatchTime now = { .boot_id = "this", .clock = WATCH_CLOCK_BOOT + 20 * SEC, .realtime = TODAY + SEC };

        assert_int_equal(watch_limits_parse(text, "file", &now, NULL, &limits), 0);
        assert_int_equal(watch_limits_format(&limits, "this", &again), 0);
        assert_int_equal(wait_at(again, now.clock + SEC, 0, "this"), DAY - 602 * SEC);
}

static void test_nobody_evicts_others(void **state) {
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 };
        CLEANUP_FREE char *text = NULL;
        char name[16];

        for (uint64_t i = 0; i <= UINT64_C(2) * WATCH_LIMITS_MAX; i++) {
                RateLimit limit = fired(1, CLOCK + i, CLOCK + i);

                (void) snprintf(name, sizeof(name), "s%u", (unsigned) i);
                assert_int_equal(watch_limits_set(&limits, i < 10 ? 0 : 1000, name, "w", &limit, TODAY), 0);
        }
        assert_int_equal(limits.n_limits, WATCH_LIMITS_MAX);
        assert_non_null(watch_limits_find(&limits, 0, "s0", "w"));
        assert_non_null(watch_limits_find(&limits, 0, "s9", "w"));
        assert_null(watch_limits_find(&limits, 1000, "s10", "w"));
        assert_non_null(watch_limits_find(&limits, 1000, name, "w"));
        assert_int_equal(watch_limits_format(&limits, "this", &text), 0);
        assert_true(strlen(text) < 1U << 20);
}

static void test_bad(void **state) {
        static const char entry[] = "{\"owner\":0,\"session\":\"s\",\"watch\":\"w\",\"n\":1,\"last\":1,\"begun\":1,"
                                    "\"last_realtime\":1,\"begun_realtime\":1}";
        static const char *const bad[][2] = {
                { "", "ends too early" },
                { "{}", "boot_id" },
                { "{\"boot_id\": 1}", "boot_id" },
                { "{\"boot_id\": \"b\"}", "watches" },
                { "{\"boot_id\": \"b\", \"watches\": {}}", "watches" },
                { "{\"boot_id\": \"b\", \"watches\": [1]}", "entry 1" },
                { "{\"boot_id\": \"b\", \"watches\": [{\"owner\": 0}]}", "entry 1" },
        };
        const WatchTime now = { .boot_id = "this", .clock = CLOCK, .realtime = TODAY };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 };
        char text[1024];

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_fails(watch_limits_parse(bad[i][0], "file", &now, &error, &limits), &error,
                             ERROR_INVALID_ARGUMENT, bad[i][1]);
        (void) snprintf(text, sizeof(text), "{\"boot_id\":\"b\",\"watches\":[%s,%s]}", entry, entry);
        assert_fails(watch_limits_parse(text, "file", &now, &error, &limits), &error, ERROR_INVALID_ARGUMENT,
                     "entry 2");
        assert_int_equal(limits.n_limits, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same_boot), cmocka_unit_test(test_another_boot),
                cmocka_unit_test(test_twice),     cmocka_unit_test(test_nobody_evicts_others),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests_name("watch-limits", tests, NULL, NULL);
}
