/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/pressure-text.h"

static void test_totals(void **state) {
        static const char text[] = "some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459\n"
                                   "full avg10=0.00 avg60=0.13 avg300=0.96 total=57546\n";
        uint64_t total = 0;

        assert_int_equal(pressure_parse_total(text, false, &total), 0);
        assert_int_equal(total, 58761459);
        assert_int_equal(pressure_parse_total(text, true, &total), 0);
        assert_int_equal(total, 57546);
}

static void test_what_is_none(void **state) {
        static const char *const texts[] = {
                "",
                "\n\n",
                "some avg10=0.00 total=",
                "some avg10=0.00\n",
                "some total=1x\n",
                "some  total=-1",
                "full total=1",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                uint64_t total = 7;

                assert_int_equal(pressure_parse_total(texts[i], false, &total), -EBADMSG);
                assert_int_equal(total, 7);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_totals),
                cmocka_unit_test(test_what_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
