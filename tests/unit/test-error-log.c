/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "kernel/error-log.h"
#include "ktraced/cleanup.h"
#include "test.h"

static void gives_the_newest_entry(void **state) {
        CLEANUP_FREE char *message = NULL;
        const char *text = "[    9.000001] event filter parse error: error: Field not found\n"
                           "  Command: first == 1\n"
                           "                 ^\n"
                           "[ 1051.686231] event filter parse error: error: Invalid value (did you forget quotes)?\n"
                           "  Command: prev_pid == foo\n"
                           "                        ^\n";

        assert_int_equal(error_log_parse_last(text, &message), 0);
        assert_string_equal(message, "event filter parse error: error: Invalid value (did you forget quotes)?\n"
                                     "  Command: prev_pid == foo\n"
                                     "                        ^");
}

static void takes_an_entry_without_command_or_newline(void **state) {
        CLEANUP_FREE char *message = NULL;

        assert_int_equal(error_log_parse_last("[123456.000000] trace_kprobe: error: x", &message), 0);
        assert_string_equal(message, "trace_kprobe: error: x");
}

static void keeps_what_only_looks_like_a_stamp(void **state) {
        CLEANUP_FREE char *message = NULL;
        const char *text = "[    1.5] a: error: b\n"
                           "  Command: [    2.5] x\n"
                           "[x] y\n"
                           "[] z\n"
                           "[ 3.] z\n"
                           "[ 3.5]z\n";

        assert_int_equal(error_log_parse_last(text, &message), 0);
        assert_int_equal(strncmp(message, "a: error: b\n", 12), 0);
        assert_non_null(strstr(message, "[ 3.5]z"));
}

static void says_when_there_is_none(void **state) {
        const char *const texts[] = { "",     "\n",    "nothing\n", "[",       "[ ",       "[ 1",
                                      "[ 1.", "[ 1.5", "[ 1.5]",    "[ 1.5] ", "[ 1.5] \n" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                char *message = NULL;

                assert_int_equal(error_log_parse_last(texts[i], &message), -ENOENT);
                assert_null(message);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gives_the_newest_entry),
                cmocka_unit_test(takes_an_entry_without_command_or_newline),
                cmocka_unit_test(keeps_what_only_looks_like_a_stamp),
                cmocka_unit_test(says_when_there_is_none),
        };

        return cmocka_run_group_tests_name("error-log", tests, NULL, NULL);
}
