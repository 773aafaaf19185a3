/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/strv.h"

static void test_null_is_empty(void **state) {
        char *empty[] = { NULL };

        strv_free(NULL);
        strv_sort(NULL);
        assert_int_equal(strv_length(NULL), 0);
        assert_false(strv_contains(NULL, "a"));
        assert_int_equal(strv_length(empty), 0);
}

static void test_append(void **state) {
        CLEANUP(strv_freep) char **strv = NULL;
        char number[16];

        for (int i = 0; i < 1000; i++) {
                (void) snprintf(number, sizeof(number), "%d", i);
                assert_int_equal(strv_append(&strv, number), 0);
        }
        assert_int_equal(strv_length(strv), 1000);
        assert_string_equal(strv[0], "0");
        assert_string_equal(strv[999], "999");
        assert_true(strv_contains(strv, "500"));
        assert_false(strv_contains(strv, "1000"));
}

static void test_copy(void **state) {
        char *original[] = { (char *) "a", (char *) "", (char *) "c", NULL };
        CLEANUP(strv_freep) char **copy = NULL, **of_null = NULL;

        assert_int_equal(strv_copy(original, &copy), 0);
        assert_int_equal(strv_length(copy), 3);
        for (size_t i = 0; i < 3; i++) {
                assert_string_equal(copy[i], original[i]);
                assert_ptr_not_equal(copy[i], original[i]);
        }
        assert_int_equal(strv_copy(NULL, &of_null), 0);
        assert_non_null(of_null);
        assert_null(of_null[0]);
}

static void test_join(void **state) {
        char *strv[] = { (char *) "a", (char *) "bc", (char *) "", NULL };
        CLEANUP_FREE char *joined = NULL, *empty = NULL, *plain = NULL;

        assert_int_equal(strv_join(strv, ", ", &joined), 0);
        assert_string_equal(joined, "a, bc, ");
        assert_int_equal(strv_join(NULL, ", ", &empty), 0);
        assert_string_equal(empty, "");
        assert_int_equal(strv_join(strv, "", &plain), 0);
        assert_string_equal(plain, "abc");
}

static void test_split(void **state) {
        CLEANUP(strv_freep) char **pieces = NULL, **none = NULL;

        assert_int_equal(strv_split(",,a b,c,, ", ", ", &pieces), 0);
        assert_int_equal(strv_length(pieces), 3);
        assert_string_equal(pieces[0], "a");
        assert_string_equal(pieces[1], "b");
        assert_string_equal(pieces[2], "c");
        assert_int_equal(strv_split(" , ", ", ", &none), 0);
        assert_int_equal(strv_length(none), 0);
}

static void test_sort(void **state) {
        CLEANUP(strv_freep) char **strv = NULL;

        assert_int_equal(strv_split("b c a b", " ", &strv), 0);
        strv_sort(strv);
        assert_string_equal(strv[0], "a");
        assert_string_equal(strv[1], "b");
        assert_string_equal(strv[2], "b");
        assert_string_equal(strv[3], "c");
        assert_null(strv[4]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_null_is_empty), cmocka_unit_test(test_append), cmocka_unit_test(test_copy),
                cmocka_unit_test(test_join),          cmocka_unit_test(test_split),  cmocka_unit_test(test_sort),
        };

        return cmocka_run_group_tests_name("strv", tests, NULL, NULL);
}
