/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/escape.h"
#include "ktraced/cleanup.h"

static void check_print(const char *text, size_t n, const char *expected) {
        CLEANUP_FREE char *printed = NULL;
        size_t size;
        FILE *out = open_memstream(&printed, &size);

        assert_non_null(out);
        escape_print(out, text, n);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(printed, expected);
}

#define CHECK_PRINT(text, expected) check_print(text, sizeof(text) - 1, expected)

static void test_print(void **state) {
        CHECK_PRINT("", "");
        CHECK_PRINT("plain text", "plain text");
        CHECK_PRINT("tab\tand\nline", "tab\tand\nline");
        CHECK_PRINT("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
        CHECK_PRINT("a\0b\r\x7f", "a\\x00b\\x0d\\x7f");
        CHECK_PRINT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7");
        /* C1, as a character and as a lone byte; an invalid byte; a line separator. */
        CHECK_PRINT("\xc2\x9b \x9b \xff", "\\xc2\\x9b \\x9b \\xff");
        CHECK_PRINT("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
        /* A sequence that the end cuts off. */
        CHECK_PRINT("\xe2\x82", "\\xe2\\x82");
}

static void check_utf8(const char *text, size_t n, const char *expected) {
        CLEANUP_FREE char *escaped = NULL;
        size_t length;

        assert_int_equal(escape_utf8(text, n, &escaped, &length), 0);
        if (!expected) {
                assert_null(escaped);
                assert_int_equal(length, n);
                return;
        }
        assert_non_null(escaped);
        assert_string_equal(escaped, expected);
        assert_int_equal(length, strlen(expected));
}

#define CHECK_UTF8(text, expected) check_utf8(text, sizeof(text) - 1, expected)

static void test_utf8(void **state) {
        CHECK_UTF8("", NULL);
        CHECK_UTF8("plain \x1b control", NULL);
        CHECK_UTF8("\xc2\x9b \xe2\x80\xa8 \xf4\x8f\xbf\xbf", NULL);
        CHECK_UTF8("\xff", "\\xff");
        CHECK_UTF8("a\0b", "a\\x00b");
        CHECK_UTF8("\xc0\xaf", "\\xc0\\xaf");                   /* longer than needed */
        CHECK_UTF8("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
        CHECK_UTF8("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
        CHECK_UTF8("\xe2\x82 x \xc3", "\\xe2\\x82 x \\xc3");    /* cut off */
        CHECK_UTF8("\xc3\xa9\x80", "\xc3\xa9\\x80");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_print),
                cmocka_unit_test(test_utf8),
        };

        return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
