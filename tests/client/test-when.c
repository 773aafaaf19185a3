/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client/when.h"
#include "ktraced/cleanup.h"

#define SEC UINT64_C(1000000)
#define NOW (UINT64_C(1795525200) * SEC) /* 2026-11-24 13:00:00 UTC */

static void assert_when(const char *text, uint64_t expected) {
        uint64_t when = 0;

        assert_int_equal(when_parse(text, NOW, &when), 0);
        assert_int_equal(when, expected);
}

static void test_dates(void **state) {
        assert_when("2026-11-24", NOW - 13 * (3600 * SEC));
        assert_when("2026-11-24 13:00", NOW);
        assert_when("2026-11-24 13:00:07", NOW + 7 * SEC);
        assert_when("1970-01-01 00:00:01", SEC);
}

static void test_spans(void **state) {
        assert_when("2h", NOW - 7200 * SEC);
        assert_when("1min 30s", NOW - 90 * SEC);
        assert_when("0", NOW);
}

static void test_wrong(void **state) {
        static const char *const wrong[] = {
                "",           "soon", "2026-13-01",       "2026-11-24 25:00", "2026-11-24 13:00x",
                "24.11.2026", "-2h",  "2026-11-24T13:00",
        };
        uint64_t when = 77;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(when_parse(wrong[i], NOW, &when), -EINVAL);
        assert_int_equal(when_parse("1969-12-31 23:59:59", NOW, &when), -ERANGE);
        assert_int_equal(when_parse("2h", 1, &when), -ERANGE);
        assert_int_equal(when, 77);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dates),
                cmocka_unit_test(test_spans),
                cmocka_unit_test(test_wrong),
        };

        (void) setenv("TZ", "UTC", 1);
        tzset();
        return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
