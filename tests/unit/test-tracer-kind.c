/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/tracer-kind.h"

static void test_kinds(void **state) {
        assert_int_equal(tracer_kind(NULL), TRACER_NONE);
        assert_int_equal(tracer_kind("nop"), TRACER_NONE);
        assert_int_equal(tracer_kind("function"), TRACER_FUNCTIONS);
        assert_int_equal(tracer_kind("function_graph"), TRACER_FUNCTIONS);
        assert_int_equal(tracer_kind("wakeup_rt"), TRACER_LATENCY);
        assert_int_equal(tracer_kind("preemptirqsoff"), TRACER_LATENCY);
        assert_int_equal(tracer_kind("hwlat"), TRACER_OTHER);
        assert_int_equal(tracer_kind(""), TRACER_UNKNOWN);
        assert_int_equal(tracer_kind("functoin"), TRACER_UNKNOWN);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds) };

        return cmocka_run_group_tests_name("tracer-kind", tests, NULL, NULL);
}
