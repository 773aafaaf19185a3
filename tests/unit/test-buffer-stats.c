/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/buffer-stats.h"

static void test_full(void **state) {
        static const char text[] = "entries: 129\n"
                                   "overrun: 5\n"
                                   "commit overrun: 7\n"
                                   "bytes: 8192\n"
                                   "oldest event ts:  1083.134876\n"
                                   "now ts:  1090.200000\n"
                                   "dropped events: 11\n"
                                   "read events: 4242\n";
        BufferStats stats;

        assert_int_equal(buffer_stats_parse(text, &stats), 0);
        assert_int_equal(stats.entries, 129);
        assert_int_equal(stats.overrun, 5);
        assert_int_equal(stats.commit_overrun, 7);
        assert_int_equal(stats.bytes, 8192);
        assert_int_equal(stats.dropped, 11);
        assert_int_equal(stats.read_events, 4242);
        assert_int_equal(stats.oldest, 1083134876);
        assert_int_equal(stats.now, 1090200000);
        assert_int_equal(buffer_stats_lost(&stats), 23);
}

static void test_missing_lines(void **state) {
        BufferStats stats = { .entries = 77 };

        assert_int_equal(buffer_stats_parse("", &stats), 0);
        assert_int_equal(stats.entries, 0);
        assert_int_equal(buffer_stats_parse("overrun: 18446744073709551615", &stats), 0);
        assert_int_equal(stats.overrun, UINT64_MAX);
        assert_int_equal(stats.entries, 0);
        assert_int_equal(buffer_stats_parse("something: else\nentries_x: 4\n", &stats), 0);
        assert_int_equal(stats.entries, 0);
}

/* The clocks counter and x86-tsc. */
static void test_clock_without_time(void **state) {
        BufferStats stats = { .oldest = 77, .now = 77 };

        assert_int_equal(buffer_stats_parse("oldest event ts: 81234567890\nnow ts: 81299999999\n", &stats), 0);
        assert_int_equal(stats.oldest, 0);
        assert_int_equal(stats.now, 0);
}

static void test_bad_values(void **state) {
        static const char *const bad[] = { "entries:\n",
                                           "entries: \n",
                                           "entries: x\n",
                                           "entries: -1\n",
                                           "entries: 1x\n",
                                           "entries: 18446744073709551616\n",
                                           "bytes: 1\noverrun:\n12\n",
                                           "oldest event ts: .123456\n",
                                           "oldest event ts: 1.12345\n",
                                           "oldest event ts: 1.1234567\n",
                                           "oldest event ts: 1.-12345\n",
                                           "oldest event ts: 1,123456\n",
                                           "now ts: 18446744073709.551616\n",
                                           "now ts:\n" };
        BufferStats stats = { .entries = 77 };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(buffer_stats_parse(bad[i], &stats), -EINVAL);
        assert_int_equal(stats.entries, 77);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_missing_lines),
                cmocka_unit_test(test_clock_without_time),
                cmocka_unit_test(test_bad_values),
        };

        return cmocka_run_group_tests_name("buffer-stats", tests, NULL, NULL);
}
