/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/pid-span.h"

static void test_parse(void **state) {
        pid_t pid;

        assert_int_equal(pid_span_parse_newest("0.20 0.18 0.12 1/80 11206\n", &pid), 0);
        assert_int_equal(pid, 11206);
        assert_int_equal(pid_span_parse_newest("0.20 0.18 0.12 1/80 4194303", &pid), 0);
        assert_int_equal(pid, 4194303);
        assert_int_equal(pid_span_parse_newest("", &pid), -EBADMSG);
        assert_int_equal(pid_span_parse_newest("0.20 0.18 0.12 1/80 ", &pid), -EBADMSG);
        assert_int_equal(pid_span_parse_newest("0.20 -5\n", &pid), -EBADMSG);
        assert_int_equal(pid_span_parse_newest("0.20 4294967296\n", &pid), -EBADMSG);
}

static void test_contains(void **state) {
        assert_false(pid_span_contains(100, 100, 100));
        assert_false(pid_span_contains(100, 105, 100));
        assert_true(pid_span_contains(100, 105, 101));
        assert_true(pid_span_contains(100, 105, 105));
        assert_false(pid_span_contains(100, 105, 106));
        /* Beyond the end, where numbers begin anew. */
        assert_true(pid_span_contains(32760, 305, 32767));
        assert_true(pid_span_contains(32760, 305, 300));
        assert_true(pid_span_contains(32760, 305, 305));
        assert_false(pid_span_contains(32760, 305, 306));
        assert_false(pid_span_contains(32760, 305, 32760));
}

static void test_round(void **state) {
        assert_int_equal(pid_span_round(32768, 2), 32468);
        assert_int_equal(pid_span_round(32768, 256), 32468);
        assert_int_equal(pid_span_round(4194304, 1), 2 * 4194004);
        assert_int_equal(pid_span_round(300, 1), 0);
        assert_int_equal(pid_span_round(32768, 0), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_contains),
                cmocka_unit_test(test_round),
        };

        return cmocka_run_group_tests_name("pid-span", tests, NULL, NULL);
}
