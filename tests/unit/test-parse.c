/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdbool.h>

#include "core/parse.h"

#define SEC 1000000ULL

static void check_size(const char *text, uint64_t wanted) {
        uint64_t size = 0;

        assert_int_equal(parse_size(text, &size), 0);
        assert_int_equal(size, wanted);
}

static void check_bad_size(const char *text, int wanted) {
        uint64_t size = 77;

        assert_int_equal(parse_size(text, &size), wanted);
        assert_int_equal(size, 77); /* untouched */
}

static void test_size(void **state) {
        check_size("0", 0);
        check_size("4096", 4096);
        check_size("17B", 17);
        check_size("64K", 65536);
        check_size("64k", 65536);
        check_size("4M", 4 << 20);
        check_size("4MB", 4 << 20);
        check_size("4MiB", 4 << 20);
        check_size("1G", 1 << 30);
        check_size("2T", 2ULL << 40);
        check_size("15E", 15ULL << 60);
        check_size("18446744073709551615", UINT64_MAX);
}

static void test_bad_size(void **state) {
        static const char *const bad[] = { "",    " 4",   "4 ",   "4 M", "-1",   "+1",   "M",    "4MM", "4Mi",
                                           "4iB", "0x10", "4M\n", "4Q",  "1.5M", "four", "4K4K", "1e3" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                check_bad_size(bad[i], -EINVAL);
        check_bad_size("18446744073709551616", -ERANGE);
        check_bad_size("16E", -ERANGE);
        check_bad_size("99999999999999999999999G", -ERANGE);
}

static void check_span(const char *text, uint64_t wanted) {
        uint64_t span = 0;

        assert_int_equal(parse_span(text, &span), 0);
        assert_int_equal(span, wanted);
}

static void test_span(void **state) {
        check_span("10", 10 * SEC);
        check_span("0", 0);
        check_span("10s", 10 * SEC);
        check_span("5min 20s", 320 * SEC);
        check_span("5min20s", 320 * SEC);
        check_span("1h", 3600 * SEC);
        check_span("250ms", 250000);
        check_span("2us", 2);
        check_span("2\xc2\xb5s", 2);
        check_span("1.5s", 1500000);
        check_span("0.25", 250000);
        check_span("1 day", 86400 * SEC);
        check_span("2w", 14ULL * 86400 * SEC);
        check_span("1h 1m 1s 1ms 1us", 3661 * SEC + 1001);
}

static void test_bad_span(void **state) {
        static const char *const bad[] = { "",    " ",   "s",    "-1s",      "10 s ", " 10s",  "10x",
                                           "1.s", ".5s", "10s,", "infinity", "1s\n",  "1s  2s" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                uint64_t span = 77;

                if (parse_span(bad[i], &span) != -EINVAL)
                        fail_msg("\"%s\" was taken", bad[i]);
                assert_int_equal(span, 77);
        }
        uint64_t span = 77;
        assert_int_equal(parse_span("99999999999999w", &span), -ERANGE);
        assert_int_equal(parse_span("18446744073709551615us 1us", &span), -ERANGE);
        assert_int_equal(parse_span("99999999999999999999999s", &span), -ERANGE);
        assert_int_equal(span, 77);
}

static void test_unsigned(void **state) {
        uint64_t value = 77;

        assert_int_equal(parse_unsigned("18446744073709551615", &value), 0);
        assert_int_equal(value, UINT64_MAX);
        assert_int_equal(parse_unsigned("18446744073709551616", &value), -ERANGE);
        assert_int_equal(parse_unsigned("", &value), -EINVAL);
        assert_int_equal(parse_unsigned("-1", &value), -EINVAL);
        assert_int_equal(parse_unsigned("1 ", &value), -EINVAL);
        assert_int_equal(parse_unsigned("0x1", &value), -EINVAL);
        assert_int_equal(value, UINT64_MAX);
}

static void test_boolean(void **state) {
        static const char *const yes[] = { "yes", "true", "on", "1", "y", "t", "YES" };
        static const char *const no[] = { "no", "false", "off", "0", "n", "f", "Off" };
        bool value;

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                value = false;
                assert_int_equal(parse_boolean(yes[i], &value), 0);
                assert_true(value);
        }
        for (size_t i = 0; i < ELEMENTSOF(no); i++) {
                value = true;
                assert_int_equal(parse_boolean(no[i], &value), 0);
                assert_false(value);
        }
        assert_int_equal(parse_boolean("", &value), -EINVAL);
        assert_int_equal(parse_boolean("2", &value), -EINVAL);
        assert_int_equal(parse_boolean("yes ", &value), -EINVAL);
}

static void test_format_size(void **state) {
        char buffer[32];

        assert_string_equal(format_size(0, buffer, sizeof(buffer)), "0B");
        assert_string_equal(format_size(17, buffer, sizeof(buffer)), "17B");
        assert_string_equal(format_size(999, buffer, sizeof(buffer)), "999B");
        assert_string_equal(format_size(1000, buffer, sizeof(buffer)), "0.9K");
        assert_string_equal(format_size(1024, buffer, sizeof(buffer)), "1K");
        assert_string_equal(format_size(1258291, buffer, sizeof(buffer)), "1.1M");
        assert_string_equal(format_size(1258292, buffer, sizeof(buffer)), "1.2M");
        assert_string_equal(format_size(1023ULL << 10, buffer, sizeof(buffer)), "0.9M");
        assert_string_equal(format_size(64ULL << 20, buffer, sizeof(buffer)), "64M");
        assert_string_equal(format_size(UINT64_MAX, buffer, sizeof(buffer)), "15.9E");
        assert_string_equal(format_size(123456, buffer, 3), "12");
}

static void test_format_ratio(void **state) {
        char buffer[32];

        assert_string_equal(format_ratio(100, 1604, buffer, sizeof(buffer)), "16.04");
        assert_string_equal(format_ratio(3, 2, buffer, sizeof(buffer)), "0.66");
        assert_string_equal(format_ratio(7, 7, buffer, sizeof(buffer)), "1.00");
        assert_string_equal(format_ratio(0, 7, buffer, sizeof(buffer)), "1.00");
        assert_string_equal(format_ratio(1000, 1999, buffer, sizeof(buffer)), "1.99");
        assert_string_equal(format_ratio(1, UINT64_MAX, buffer, sizeof(buffer)), "18446744073709551615.00");
        assert_string_equal(format_ratio(UINT64_MAX, UINT64_MAX - 1, buffer, sizeof(buffer)), "0.99");
}

static void test_format_span(void **state) {
        char buffer[64];

        assert_string_equal(format_span(0, buffer, sizeof(buffer)), "0");
        assert_string_equal(format_span(90 * SEC, buffer, sizeof(buffer)), "1min 30s");
        assert_string_equal(format_span(250000, buffer, sizeof(buffer)), "250ms");
        assert_string_equal(format_span(90061 * SEC + 1001, buffer, sizeof(buffer)), "1d 1h 1min 1s 1ms 1us");
        assert_string_equal(format_span(90 * SEC, buffer, 6), "1min ");
        (void) format_span(UINT64_MAX, buffer, sizeof(buffer));
        assert_true(strlen(buffer) < sizeof(buffer));
}

/* What is written can be read. */
static void test_spans_round_trip(void **state) {
        static const uint64_t spans[] = { 0, 1, 999, 100000, 60 * SEC, 3599 * SEC, 366ULL * 86400 * SEC, UINT64_MAX };
        char buffer[64];

        for (size_t i = 0; i < ELEMENTSOF(spans); i++)
                check_span(format_span(spans[i], buffer, sizeof(buffer)), spans[i]);
}

static void test_names(void **state) {
        char longest[66];

        memset(longest, 'a', sizeof(longest));
        longest[64] = '\0';
        assert_true(name_is_valid(longest));
        longest[64] = 'a';
        longest[65] = '\0';
        assert_false(name_is_valid(longest));
        assert_true(name_is_valid("web-1.service@host_A"));
        assert_false(name_is_valid(""));
        assert_false(name_is_valid(".hidden"));
        assert_false(name_is_valid("-o"));
        assert_false(name_is_valid("../../etc"));
        assert_false(name_is_valid("a/b"));
        assert_false(name_is_valid("a b"));
        assert_false(name_is_valid("a\nb"));
        assert_false(name_is_valid("\xc3\xbc"));
}

static void test_ids(void **state) {
        assert_true(id_is_valid("20261124T054737-3f2a9c1e"));
        assert_true(id_is_valid("0123456789abcdef"));
        assert_false(id_is_valid(""));
        assert_false(id_is_valid("ABC"));
        assert_false(id_is_valid("../a"));
        assert_false(id_is_valid("12g"));
}

static void test_clocks(void **state) {
        assert_true(clock_is_valid("mono_raw"));
        assert_true(clock_is_valid("x86-tsc"));
        assert_false(clock_is_valid(""));
        assert_false(clock_is_valid("Mono"));
        assert_false(clock_is_valid("mono raw"));
        assert_false(clock_is_valid("abcdefghijklmnopqrstuvwxyz0123456"));
}

static void test_percent(void **state) {
        static const struct {
                const char *text;
                uint64_t permille;
        } good[] = { { "5%", 50 },  { "5", 50 },      { "2.5%", 25 },   { "0", 0 },
                     { "0.1%", 1 }, { "100%", 1000 }, { "100.0", 1000 } };
        static const char *const bad[] = { "", "%", "5 %", "5%%", "-1%", ".5%", "2.%", "2.55%", "x", "5%x" };
        static const char *const too_much[] = { "100.1%", "101", "18446744073709551615%" };
        uint64_t permille = 7;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(parse_percent(good[i].text, &permille), 0);
                assert_int_equal(permille, good[i].permille);
        }
        permille = 7;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse_percent(bad[i], &permille), -EINVAL);
        for (size_t i = 0; i < ELEMENTSOF(too_much); i++)
                assert_int_equal(parse_percent(too_much[i], &permille), -ERANGE);
        assert_int_equal(permille, 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_percent),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_bad_size),
                cmocka_unit_test(test_span),
                cmocka_unit_test(test_bad_span),
                cmocka_unit_test(test_unsigned),
                cmocka_unit_test(test_boolean),
                cmocka_unit_test(test_format_size),
                cmocka_unit_test(test_format_ratio),
                cmocka_unit_test(test_format_span),
                cmocka_unit_test(test_spans_round_trip),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_ids),
                cmocka_unit_test(test_clocks),
        };

        return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
