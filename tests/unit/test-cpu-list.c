/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/cpu-list.h"

static void check(const char *text, size_t n, const char *formatted, const char *mask) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(cpu_list_clear) CpuList list = { 0 };
        CLEANUP_FREE char *again = NULL, *as_mask = NULL;

        assert_succeeds(cpu_list_parse(text, &error, &list), &error);
        assert_int_equal(list.n_cpus, n);
        for (size_t i = 1; i < n; i++)
                assert_true(list.cpus[i - 1] < list.cpus[i]);
        assert_int_equal(cpu_list_format(&list, &again), 0);
        assert_string_equal(again, formatted);
        if (mask) {
                assert_int_equal(cpu_list_format_mask(&list, &as_mask), 0);
                assert_string_equal(as_mask, mask);
        }
}

static void test_parse(void **state) {
        check("0", 1, "0", "1");
        check("0-3,8", 5, "0-3,8", "10f");
        check("3,2,1,0", 4, "0-3", "f");
        check("1,1,1-1", 1, "1", "2");
        check("0-4,2-6", 7, "0-6", "7f");
        check("31", 1, "31", "80000000");
        check("32", 1, "32", "1,00000000");
        check("0-31,64", 33, "0-31,64", "1,00000000,ffffffff");
        check("0-8191", 8192, "0-8191", NULL);
}

static void test_bad(void **state) {
        static const char *const bad[] = { "",    ",", "1,", ",1", "1,,2",  "-",   "1-",       "-1",
                                           "3-1", "a", "1 ", " 1", "1-2-3", "0x1", "0-31:2/4", "1\n" };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CpuList list = { .n_cpus = 77 };

                assert_fails(cpu_list_parse(bad[i], &error, &list), &error, ERROR_INVALID_ARGUMENT,
                             "is no list of CPUs");
                assert_int_equal(list.n_cpus, 77);
        }
}

static void test_too_large(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CpuList list = { 0 };

        assert_fails(cpu_list_parse("8192", &error, &list), &error, ERROR_INVALID_ARGUMENT, "above 8191");
        assert_fails(cpu_list_parse("0-4294967296", &error, &list), &error, ERROR_INVALID_ARGUMENT, "above 8191");
        assert_fails(cpu_list_parse("99999999999999999999999", &error, &list), &error, ERROR_INVALID_ARGUMENT,
                     "above 8191");
}

static void test_message_is_escaped(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CpuList list = { 0 };

        assert_fails(cpu_list_parse("1\nforged", &error, &list), &error, ERROR_INVALID_ARGUMENT, "1\\x0aforged");
}

static void test_contains_and_copy(void **state) {
        CLEANUP(cpu_list_clear) CpuList list = { 0 }, copy = { 0 }, empty = { 0 }, of_empty = { 0 };

        assert_int_equal(cpu_list_parse("2,5-6", NULL, &list), 0);
        assert_int_equal(cpu_list_copy(&list, &copy), 0);
        cpu_list_clear(&list);
        assert_int_equal(list.n_cpus, 0);
        assert_true(cpu_list_contains(&copy, 2));
        assert_true(cpu_list_contains(&copy, 6));
        assert_false(cpu_list_contains(&copy, 3));
        assert_false(cpu_list_contains(&empty, 0));
        assert_int_equal(cpu_list_copy(&empty, &of_empty), 0);
        assert_int_equal(of_empty.n_cpus, 0);
}

static void test_empty(void **state) {
        CpuList empty = { 0 };
        CLEANUP_FREE char *text = NULL, *mask = NULL;

        assert_int_equal(cpu_list_format(&empty, &text), 0);
        assert_string_equal(text, "");
        assert_int_equal(cpu_list_format_mask(&empty, &mask), 0);
        assert_string_equal(mask, "0");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_too_large),
                cmocka_unit_test(test_message_is_escaped),
                cmocka_unit_test(test_contains_and_copy),
                cmocka_unit_test(test_empty),
        };

        return cmocka_run_group_tests_name("cpu-list", tests, NULL, NULL);
}
