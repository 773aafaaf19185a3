/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/marker-text.h"

static void append(char *to, size_t size, const char *line) {
        size_t n = strlen(to);

        (void) snprintf(to + n, size - n, "%s|", line);
}

/* Feeds the text `step` bytes at a time; the lines, each with '|' behind it. */
static void check(const char *input, size_t n, size_t step, bool end, const char *expected) {
        MarkerText text = { .n = 0 };
        char line[MARKER_LINE_MAX + 1], got[8192] = "";
        size_t at = 0;

        for (;;) {
                size_t size, wanted = n - at < step ? n - at : step;
                char *to;

                while (marker_text_next(&text, line))
                        append(got, sizeof(got), line);
                if (at == n)
                        break;
                to = marker_text_space(&text, &size);
                assert_true(size > 0);
                if (wanted > size)
                        wanted = size;
                memcpy(to, input + at, wanted);
                marker_text_added(&text, wanted);
                at += wanted;
        }
        if (end) {
                marker_text_end(&text);
                while (marker_text_next(&text, line))
                        append(got, sizeof(got), line);
        }
        assert_string_equal(got, expected);
}

static void test_lines(void **state) {
        for (size_t step = 1; step < 20; step++) {
                check("one\n\ntwo\nthr", 12, step, false, "one|two|");
                check("one\n\ntwo\nthr", 12, step, true, "one|two|thr|");
                check("a\0b\n", 4, step, true, "a?b|");
                check("\x1b[2J\xff\xc2\x85\xe2\x82\xac\n", 11, step, true, "?[2J???\xe2\x82\xac|");
        }
        check("", 0, 1, true, "");
}

static void test_long_lines(void **state) {
        char input[2001], expected[2100];

        memset(input, 'x', 2000);
        input[2000] = '\n';
        (void) snprintf(expected, sizeof(expected), "%.*s|%.*s|%.*s|", 899, input, 899, input, 202, input);
        check(input, 2001, 4096, true, expected);
}

/* A character of several bytes is not cut. */
static void test_cut(void **state) {
        char input[1200], expected[1300];

        memset(input, 'x', sizeof(input));
        for (size_t i = 0; i < 3; i++)
                input[898 + i] = "\xe2\x82\xac"[i];
        (void) snprintf(expected, sizeof(expected), "%.898s|%.302s|", input, input + 898);
        check(input, 1200, 4096, true, expected);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_cut),
        };

        return cmocka_run_group_tests_name("marker-text", tests, NULL, NULL);
}
