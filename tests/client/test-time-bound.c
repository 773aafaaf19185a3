/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/record-filter.h"

static void check(const char *text, TimeBoundKind kind, uint64_t ns) {
        TimeBound bound = {};

        assert_int_equal(time_bound_parse(text, &bound), 0);
        assert_int_equal(bound.kind, kind);
        assert_int_equal(bound.ns, ns);
}

static void check_refused(const char *text, int r) {
        TimeBound bound = { .kind = TIME_BOUND_NONE, .ns = 77 };

        assert_int_equal(time_bound_parse(text, &bound), r);
        assert_int_equal(bound.kind, TIME_BOUND_NONE);
        assert_int_equal(bound.ns, 77);
}

static void test_absolute(void **state) {
        check("0", TIME_BOUND_ABSOLUTE, 0);
        check("1020", TIME_BOUND_ABSOLUTE, UINT64_C(1020000000000));
        check("1020.9", TIME_BOUND_ABSOLUTE, UINT64_C(1020900000000));
        check("1020.911021345", TIME_BOUND_ABSOLUTE, UINT64_C(1020911021345));
        check("0.000000001", TIME_BOUND_ABSOLUTE, 1);
        check("18446744073.709551615", TIME_BOUND_ABSOLUTE, UINT64_MAX);
        check_refused("18446744073.709551616", -ERANGE);
        check_refused("18446744074", -ERANGE);
        check_refused("99999999999999999999", -ERANGE);
}

static void test_relative(void **state) {
        check("+5s", TIME_BOUND_AFTER_START, UINT64_C(5000000000));
        check("-250ms", TIME_BOUND_BEFORE_END, 250000000);
        check("+1min 2us", TIME_BOUND_AFTER_START, UINT64_C(60000002000));
        check("-3", TIME_BOUND_BEFORE_END, UINT64_C(3000000000));
}

static void test_refused(void **state) {
        static const char *const texts[] = { "",   ".",   "5.", ".5", "1.0000000001", "1.2.3",    "1s",       " 1",
                                             "1 ", "0x1", "+",  "-",  "+-1s",         "+1parsec", "yesterday" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                check_refused(texts[i], -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_absolute),
                cmocka_unit_test(test_relative),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests_name("time-bound", tests, NULL, NULL);
}
