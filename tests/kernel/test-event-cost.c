/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <time.h>

#include "kernel-test.h"
#include "kernel/event-cost.h"
#include "ktraced/clock.h"

#define NSEC_PER_MSEC 1000000U

/* Of any machine that this runs on: more than a write to memory, and less than a write to a disk. */
static void it_costs_something(void **state) {
        uint64_t cost = 0;

        assert_int_equal(event_cost_measure("test-event-cost", NULL, &cost), 0);
        assert_true(cost >= 5);
        assert_true(cost < NSEC_PER_MSEC);
}

static void two_measures_agree(void **state) {
        uint64_t one = 0, other = 0;

        assert_int_equal(event_cost_measure("test-event-cost", NULL, &one), 0);
        assert_int_equal(event_cost_measure("test-event-cost", NULL, &other), 0);
        /* A machine that is busy, or changes its clock rate, does not make a magnitude. */
        assert_true(one < other * 20 && other < one * 20);
}

static void the_name_is_taken(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Instance *instance = NULL;
        uint64_t cost = 7;

        assert_int_equal(instance_create("test-event-cost", NULL, &instance), 0);
        assert_int_equal(event_cost_measure("test-event-cost", &error, &cost), -EBUSY);
        assert_int_equal(error.code, ERROR_BUSY);
        assert_int_equal(cost, 7);
        assert_int_equal(instance_destroy(instance), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_costs_something),
                cmocka_unit_test(two_measures_agree),
                cmocka_unit_test(the_name_is_taken),
        };

        return kernel_test_run("event-cost", tests, ELEMENTSOF(tests));
}
