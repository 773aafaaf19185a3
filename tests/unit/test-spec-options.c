/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/spec-options.h"
#include "core/strv.h"

static void test_check(void **state) {
        static const char *const good[] = { "stacktrace", "noblock", "print-parent", "NO_OSNOISE", "x" };
        static const char *const bad[] = { "", "a b", "a\n", "../x", "a/b", "a=b", "\xc3\xbc", "0\x1b[m" };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char longest[SPEC_OPTION_LENGTH + 2];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_succeeds(spec_option_check(good[i], &error), &error);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_fails(spec_option_check(bad[i], &error), &error, ERROR_INVALID_ARGUMENT,
                             "is no name of a tracer option");
        memset(longest, 'a', sizeof(longest));
        longest[SPEC_OPTION_LENGTH] = '\0';
        assert_succeeds(spec_option_check(longest, &error), &error);
        longest[SPEC_OPTION_LENGTH] = 'a';
        longest[SPEC_OPTION_LENGTH + 1] = '\0';
        assert_fails(spec_option_check(longest, &error), &error, ERROR_INVALID_ARGUMENT, "is no name");
}

static void test_reserved(void **state) {
        static const char *const reserved[] = {
                "overwrite",           "nooverwrite",     "event-fork",        "noevent-fork",
                "function-fork",       "trace_printk",    "trace_printk_dest", "copy_trace_marker",
                "nocopy_trace_marker", "disable_on_free", "latency-format",
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(reserved); i++)
                assert_fails(spec_option_check(reserved[i], &error), &error, ERROR_INVALID_ARGUMENT, reserved[i]);
        /* Names are compared whole. */
        assert_succeeds(spec_option_check("overwrites", &error), &error);
        assert_succeeds(spec_option_check("no", &error), &error);
}

static void check_effective(const char *options, const char *wanted) {
        CLEANUP(strv_freep) char **list = NULL, **effective = NULL;
        CLEANUP_FREE char *joined = NULL;

        assert_int_equal(strv_split(options, " ", &list), 0);
        assert_int_equal(spec_options_effective(list, &effective), 0);
        assert_int_equal(strv_join(effective, " ", &joined), 0);
        assert_string_equal(joined, wanted);
}

static void test_effective(void **state) {
        CLEANUP(strv_freep) char **effective = NULL;

        check_effective("", "");
        check_effective("b a", "a b");
        check_effective("a a a", "a");
        check_effective("a noa", "noa");
        check_effective("noa b a", "a b");
        assert_int_equal(spec_options_effective(NULL, &effective), 0);
        assert_int_equal(strv_length(effective), 0);
}

static void test_powers(void **state) {
        char *stacks[] = { (char *) "a", (char *) "userstacktrace", NULL };
        char *addresses[] = { (char *) "sym-addr", NULL };
        char *off[] = { (char *) "nostacktrace", (char *) "nosym-addr", (char *) "hash-ptr", NULL };

        assert_true(spec_options_trace_stacks(stacks));
        assert_false(spec_options_show_addresses(stacks));
        assert_true(spec_options_show_addresses(addresses));
        assert_false(spec_options_trace_stacks(off));
        assert_false(spec_options_show_addresses(off));
        assert_false(spec_options_trace_stacks(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_reserved),
                cmocka_unit_test(test_effective),
                cmocka_unit_test(test_powers),
        };

        return cmocka_run_group_tests_name("spec-options", tests, NULL, NULL);
}
