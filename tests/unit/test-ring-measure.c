/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/ring-measure.h"

#define SEC UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

static void test_reach_of_a_buffer_that_fills(void **state) {
        const BufferStats drained = { .now = 100 * SEC };
        BufferStats now = { .now = 110 * SEC, .bytes = MIB, .entries = 1000 };

        /* A tenth of a MiB for each second. */
        assert_int_equal(ring_cpu_reach(&now, &drained, &drained, 4 * MIB), 40 * SEC);
        now.bytes = 2 * MIB;
        assert_int_equal(ring_cpu_reach(&now, &drained, &drained, 4 * MIB), 20 * SEC);
}

static void test_reach_of_a_full_buffer(void **state) {
        const BufferStats drained = { .now = 100 * SEC, .overrun = 7 };
        BufferStats now = { .now = 500 * SEC, .oldest = 497 * SEC, .bytes = MIB, .overrun = 8 };

        assert_int_equal(ring_cpu_reach(&now, &drained, &drained, MIB), 3 * SEC);
        now.oldest = 501 * SEC;
        assert_int_equal(ring_cpu_reach(&now, &drained, &drained, MIB), 0);
}

static void test_reach_of_a_buffer_that_has_grown(void **state) {
        const BufferStats drained = { .now = 100 * SEC, .overrun = 7 };
        const BufferStats sized = { .now = 200 * SEC, .overrun = 500 };
        BufferStats now = { .now = 210 * SEC, .oldest = 198 * SEC, .bytes = 2 * MIB, .overrun = 500 };

        /* Half full: twice as far. */
        assert_int_equal(ring_cpu_reach(&now, &drained, &sized, 4 * MIB), 24 * SEC);
        now.overrun = 501;
        assert_int_equal(ring_cpu_reach(&now, &drained, &sized, 4 * MIB), 12 * SEC);
        /* A snapshot has drained it since. */
        assert_int_equal(ring_cpu_reach(&now, &(BufferStats){ .now = 206 * SEC, .overrun = 501 }, &sized, 4 * MIB),
                         8 * SEC);
}

static void test_reach_that_is_not_known(void **state) {
        const BufferStats drained = { .now = 100 * SEC };
        const BufferStats early = { .now = 100 * SEC + SEC / 2, .bytes = MIB };
        const BufferStats idle = { .now = 200 * SEC };
        const BufferStats no_time = { .bytes = MIB };
        const BufferStats before = { .now = 99 * SEC, .bytes = MIB };

        assert_true(ring_cpu_reach(&early, &drained, &drained, MIB) == RING_UNKNOWN);
        assert_true(ring_cpu_reach(&idle, &drained, &drained, MIB) == RING_UNKNOWN);
        assert_true(ring_cpu_reach(&no_time, &(BufferStats){ 0 }, &(BufferStats){ 0 }, MIB) == RING_UNKNOWN);
        assert_true(ring_cpu_reach(&before, &drained, &drained, MIB) == RING_UNKNOWN);
}

static void test_written(void **state) {
        const BufferStats before = { .entries = 100, .overrun = 50, .read_events = 50, .bytes = 4000 };
        BufferStats now = { .entries = 100, .overrun = 150, .read_events = 50, .bytes = 5000 };

        assert_int_equal(ring_cpu_written(&now, &before), 100 * 50);
        assert_int_equal(ring_cpu_written(&before, &before), 0);
        assert_int_equal(ring_cpu_written(&before, &now), 0);
        now.entries = 0;
        assert_int_equal(ring_cpu_written(&now, &before), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reach_of_a_buffer_that_fills),
                cmocka_unit_test(test_reach_of_a_full_buffer),
                cmocka_unit_test(test_reach_of_a_buffer_that_has_grown),
                cmocka_unit_test(test_reach_that_is_not_known),
                cmocka_unit_test(test_written),
        };

        return cmocka_run_group_tests_name("ring-measure", tests, NULL, NULL);
}
