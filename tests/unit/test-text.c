/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/text.h"

static void test_printable(void **state) {
        assert_true(text_is_printable(""));
        assert_true(text_is_printable("plain text ~"));
        assert_true(text_is_printable("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"));
}

static void test_control_characters(void **state) {
        assert_false(text_is_printable("a\nb"));
        assert_false(text_is_printable("a\tb"));
        assert_false(text_is_printable("\x1b[2J"));
        assert_false(text_is_printable("\x7f"));
        assert_false(text_is_printable("\xc2\x85"));     /* U+0085, next line */
        assert_false(text_is_printable("\xe2\x80\xa8")); /* U+2028, line separator */
        /* U+202E, right-to-left override; spelt so, since compilers warn of it in a string, too. */
        assert_false(text_is_printable((const char[]){ '\xe2', '\x80', '\xae', '\0' }));
        /* U+2066, left-to-right isolate */
        assert_false(text_is_printable((const char[]){ '\xe2', '\x81', '\xa6', '\0' }));
}

static void test_bad_utf8(void **state) {
        assert_false(text_is_printable("\x80"));
        assert_false(text_is_printable("\xc0\xaf"));         /* overlong '/' */
        assert_false(text_is_printable("\xe0\x80\xaf"));     /* the same in three bytes */
        assert_false(text_is_printable("\xed\xa0\x80"));     /* surrogate */
        assert_false(text_is_printable("\xf4\x90\x80\x80")); /* beyond U+10FFFF */
        assert_false(text_is_printable("\xc3"));             /* cut off */
        assert_false(text_is_printable("\xe2\x82"));
        assert_false(text_is_printable("\xff"));
}

static void test_printable_length(void **state) {
        assert_int_equal(text_printable_length("ab\ncd"), 2);
        assert_int_equal(text_printable_length("\xc3\xbc\xff"), 2);
        assert_int_equal(text_printable_length("all"), 3);
}

static void test_escape(void **state) {
        assert_string_equal(TEXT_ESCAPE("plain"), "plain");
        assert_string_equal(TEXT_ESCAPE("a\nb\x1b\xff"), "a\\x0ab\\x1b\\xff");
        assert_string_equal(TEXT_ESCAPE("\xc3\xbc"), "\xc3\xbc");
        assert_string_equal(TEXT_ESCAPE("\xc2\x85"), "\\xc2\\x85");
}

static void test_escape_cuts(void **state) {
        char buffer[16];

        assert_string_equal(text_escape("123456789012345", buffer, sizeof(buffer)), "123456789012345");
        assert_string_equal(text_escape("1234567890123456", buffer, sizeof(buffer)), "123456789012...");
        assert_string_equal(text_escape("\n\n\n\n\n", buffer, sizeof(buffer)), "\\x0a\\x0a\\x0a...");
        /* A character of several bytes is not cut in the middle. */
        assert_string_equal(text_escape("12345678901\xe2\x82\xac\xe2\x82\xac", buffer, sizeof(buffer)),
                            "12345678901...");
}

static void check_drop(const char *text, const char *word, const char *expected) {
        CLEANUP_FREE char *copy = strdup(text);

        assert_non_null(copy);
        text_drop(copy, word);
        assert_string_equal(copy, expected);
}

static void test_drop(void **state) {
        check_drop("", "x_", "");
        check_drop("x_a, x_b", "x_", "a, b");
        check_drop("x_x_", "x_", "");
        check_drop("error\n  Command: x_a b\n           ^\n", "x_", "error\n  Command: a b\n           ^\n");
        check_drop("error\n  Command: x_a b\n               ^", "x_", "error\n  Command: a b\n             ^");
        check_drop("  x_a x_b c\n          ^", "x_", "  a b c\n      ^");
        check_drop("a x_b\n ^\nc", "x_", "a b\n ^\nc");
        check_drop("x_b\n     c", "x_", "b\n     c");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_printable), cmocka_unit_test(test_control_characters),
                cmocka_unit_test(test_bad_utf8),  cmocka_unit_test(test_printable_length),
                cmocka_unit_test(test_escape),    cmocka_unit_test(test_escape_cuts),
                cmocka_unit_test(test_drop),
        };

        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
