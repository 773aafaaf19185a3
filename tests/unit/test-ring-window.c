/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/ring-window.h"

#define SEC UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

static RingWindow make_window(void) {
        return (RingWindow){ .window = 30 * SEC, .least = MIB, .most = 32 * MIB };
}

static void test_grows_by_what_is_missing(void **state) {
        RingWindow window = make_window();
        RingMeasure measure = { .reach = 29 * SEC };

        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 8 * MIB);
        measure.reach = 16 * SEC;
        /* Twice that is more than is wanted, but not by enough. */
        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 16 * MIB);
        /* A short time may have been an exception: no more than four times at once. */
        measure.reach = SEC;
        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 16 * MIB);
        measure.reach = 0;
        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 16 * MIB);
        assert_false(window.is_short);
}

static void test_grows_no_further_than_allowed(void **state) {
        RingWindow window = make_window();
        RingMeasure measure = { .reach = SEC };

        window.most = 9 * MIB;
        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 9 * MIB);
        assert_false(window.is_short);
        assert_int_equal(ring_window_decide(&window, &measure, 9 * MIB, SEC), 9 * MIB);
        assert_true(window.is_short);
        measure.reach = 31 * SEC;
        assert_int_equal(ring_window_decide(&window, &measure, 9 * MIB, SEC), 9 * MIB);
        assert_false(window.is_short);
}

static void test_stays_while_it_suits(void **state) {
        RingWindow window = make_window();
        RingMeasure measure = { .reach = 30 * SEC };

        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 4 * MIB);
        measure.reach = RING_UNKNOWN;
        assert_int_equal(ring_window_decide(&window, &measure, 4 * MIB, SEC), 4 * MIB);
}

static void test_shrinks_after_a_while(void **state) {
        RingWindow window = make_window();
        RingMeasure measure = { .reach = 3600 * SEC };

        for (unsigned i = 0; i < 2; i++) {
                measure.written += 2 * MIB;
                assert_int_equal(ring_window_decide(&window, &measure, 8 * MIB, 60 * SEC), 8 * MIB);
        }
        /* A busy one among them: it begins anew. */
        measure.written += 2 * MIB + 1;
        assert_int_equal(ring_window_decide(&window, &measure, 8 * MIB, 60 * SEC), 8 * MIB);
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(ring_window_decide(&window, &measure, 8 * MIB, 60 * SEC), 8 * MIB);
        /* Shorter than a window: says nothing either way. */
        assert_int_equal(ring_window_decide(&window, &measure, 8 * MIB, 29 * SEC), 8 * MIB);
        assert_int_equal(ring_window_decide(&window, &measure, 8 * MIB, 60 * SEC), 4 * MIB);
        assert_int_equal(window.n_spare, 0);
}

static void test_shrinks_no_further_than_allowed(void **state) {
        RingWindow window = make_window();
        const RingMeasure measure = { .reach = RING_UNKNOWN };

        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(ring_window_decide(&window, &measure, MIB, 60 * SEC), MIB);
}

static void test_measures_more_and_more_rarely(void **state) {
        RingWindow window = make_window();
        uint64_t interval = 0, n = 0;

        for (uint64_t before = 1; interval != before; n++) {
                before = interval;
                interval = ring_window_interval(&window, interval);
                assert_true(interval >= before);
        }
        assert_int_equal(interval, 60 * SEC);
        assert_in_range(n, 5, 10);
        window.window = 600 * SEC;
        for (unsigned i = 0; i < 20; i++)
                interval = ring_window_interval(&window, interval);
        assert_int_equal(interval, 600 * SEC);
        assert_int_equal(ring_window_interval(&window, 0), SEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_grows_by_what_is_missing),
                cmocka_unit_test(test_grows_no_further_than_allowed),
                cmocka_unit_test(test_stays_while_it_suits),
                cmocka_unit_test(test_shrinks_after_a_while),
                cmocka_unit_test(test_shrinks_no_further_than_allowed),
                cmocka_unit_test(test_measures_more_and_more_rarely),
        };

        return cmocka_run_group_tests_name("ring-window", tests, NULL, NULL);
}
