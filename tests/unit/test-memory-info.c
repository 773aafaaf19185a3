/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/memory-info.h"

static void test_good(void **state) {
        static const char text[] = "MemTotal:       16333260 kB\nMemFree:         1089020 kB\n"
                                   "MemAvailable:    9123456 kB\nBuffers: 1 kB\n";
        MemoryInfo info;

        assert_int_equal(memory_info_parse(text, &info), 0);
        assert_int_equal(info.total, 16333260ULL * 1024);
        assert_int_equal(info.available, 9123456ULL * 1024);
}

static void test_bad(void **state) {
        static const char *const bad[] = {
                "",
                "MemTotal: 5 kB\n",
                "MemTotal: 5 kB\nMemAvailable: 5\n",
                "MemTotal: 5 kB\nMemAvailable: x kB\n",
                "MemTotal: 5 kB\nMemAvailable: 99999999999999999999 kB\n",
                "MemTotal: 5 kB\nMemAvailable: 18446744073709551615 kB\n",
                "XMemTotal: 5 kB\nMemAvailable: 5 kB\n",
                "MemTotals: 5 kB\nMemAvailable: 5 kB",
        };
        MemoryInfo info = { .total = 7 };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(memory_info_parse(bad[i], &info), -EINVAL);
        assert_int_equal(info.total, 7);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad) };

        return cmocka_run_group_tests_name("memory-info", tests, NULL, NULL);
}
