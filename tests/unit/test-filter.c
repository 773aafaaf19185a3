/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/filter.h"
#include "core/spec.h"

static const FilterField fields[] = {
        { .name = "prev_comm", .is_string = true },
        { .name = "prev_pid" },
        { .name = "prev_prio" },
        { .name = "cpumask", .is_cpumask = true },
        { .name = "call_site", .is_pointer = true },
};

static int check(const char *expression, Error *error) {
        return filter_check(expression, fields, ELEMENTSOF(fields), error);
}

static void test_good(void **state) {
        static const char *const good[] = {
                "prev_pid == 1",
                "prev_pid==1",
                "  prev_pid  >=  0x1f  ",
                "prev_pid != -1",
                "prev_pid & 1",
                "prev_pid < 5 && prev_prio > 2",
                "prev_pid < 5&&prev_prio > 2||prev_pid == 9",
                "(prev_pid == 1)",
                "((prev_pid == 1) || (prev_pid == 2)) && !(prev_prio == 3)",
                "!prev_pid == 1",
                "!!(!prev_pid == 1)",
                "! ( prev_pid == 1 )",
                "prev_comm == \"bash\"",
                "prev_comm == 'bash'",
                "prev_comm ~ \"*sh\"",
                "prev_comm ~ '\"*)&&('",
                "prev_comm == \"\"",
                "prev_comm == \"gr\xc3\xbc\xc3\x9f\"",
                "common_pid != 0",
                "common_preempt_count > 0",
                "CPU == 1",
                "cpu < 4",
                "COMM ~ 'k*'",
                "comm == 'x'",
                "cpumask & CPUS{0-3,8}",
                "cpumask == CPUS{1}",
                "cpu & CPUS{0}",
                "prev_pid == CPUS{0-1}",
                "call_site.function == do_sys_open",
                "call_site.function != 0xffffffff81000000",
                "call_site == 0",
                "call_site.ustring ~ '/etc/*'",
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_succeeds(check(good[i], &error), &error);
}

/* The message is a sentence, the expression, and a '^' under the place. */
static void test_bad(void **state) {
        static const struct {
                const char *expression, *sentence;
                int column;
        } bad[] = {
                { "", "A field's name is missing", 0 },
                { "   ", "A field's name is missing", 3 },
                { "prev_pid", "An operator is expected", 8 },
                { "prev_pid =", "\"=\" is no operator", 9 },
                { "prev_pid = 1", "\"=\" is no operator", 9 },
                { "prev_pid ==", "A number is missing", 11 },
                { "prev_pid == x", "A number is expected", 12 },
                { "prev_pid == \"x\"", "A number is expected", 12 },
                { "prev_pid == 12x", "does not belong into a number", 14 },
                { "prev_pid == 08", "does not belong into a number", 13 },
                { "prev_pid == 99999999999999999999", "too large", 12 },
                { "prev_pid == 00000000000000000000000000000000000000001", "too large", 12 },
                { "prev_pid ~ 5", "\"~\" is for strings", 9 },
                { "prev_pd == 1", "no field \"prev_pd\"; did you mean \"prev_pid\"?", 0 },
                { "prev_pid == 1 && qqqqqqqqqqqq == 2", "no field \"qqqqqqqqqqqq\"", 17 },
                { "common_ == 1", "no field \"common_\"", 0 },
                { "prev_pid == 1 prev_prio == 2", "\"&&\" or \"||\" is expected", 14 },
                { "prev_pid == 1 & prev_prio == 2", "\"&&\" or \"||\" is expected", 14 },
                { "prev_pid == 1 &&", "A field's name is missing", 16 },
                { "&& prev_pid == 1", "A field's name is expected", 0 },
                { "prev_pid == 1 || || prev_pid == 2", "A field's name is expected", 17 },
                { "(prev_pid == 1", "This '(' has no ')'", 0 },
                { "prev_pid == 1)", "This ')' has no '('", 13 },
                { "()", "A field's name is expected", 1 },
                { "prev_comm > \"x\"", "Strings can only be compared", 10 },
                { "prev_comm & 1", "Strings can only be compared", 10 },
                { "prev_comm != bash", "put the value into quotes", 13 },
                { "prev_comm == 5", "put the value into quotes", 13 },
                { "prev_comm == \"x", "has no closing \"", 13 },
                { "prev_comm == 'x\"", "has no closing '", 13 },
                { "prev_comm ==", "A string is missing", 12 },
                { "cpumask & CPUS", "'{' is expected", 14 },
                { "cpumask & CPUS{0", "no closing '}'", 15 },
                { "cpumask & CPUS{}", "no list of CPUs", 15 },
                { "cpumask & CPUS{a}", "no list of CPUs", 15 },
                { "cpumask > CPUS{1}", "CPUS{...} can only", 8 },
                { "prev_comm.function == x", "\".function\" is for addresses", 9 },
                { "call_site.function > x", "A function can only", 19 },
                { "call_site.function == ", "A value is expected", 22 },
                { "call_site.symbol == x", "Only \".function\"", 9 },
                { "prev_comm == \"gr\xc3\xbc\xc3\x9f\" x", "is expected here", 20 },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                const char *caret;

                assert_true(check(bad[i].expression, &error) < 0);
                assert_int_equal(error.code, ERROR_BAD_FILTER);
                assert_contains(error_text(&error), bad[i].sentence);
                assert_contains(error_text(&error), bad[i].expression);
                caret = strrchr(error.message, '\n');
                assert_non_null(caret);
                if ((int) strspn(caret + 1, " ") != bad[i].column)
                        fail_msg("wanted column %d:\n%s", bad[i].column, error.message);
                assert_string_equal(caret + 1 + bad[i].column, "^");
        }
}

static void test_fields_of_the_event_win(void **state) {
        static const FilterField own[] = { { .name = "comm" }, { .name = "common_flags", .is_string = true } };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(filter_check("comm == 5 && common_flags == \"x\"", own, ELEMENTSOF(own), &error), &error);
        assert_fails(filter_check("comm == \"x\"", own, ELEMENTSOF(own), &error), &error, ERROR_BAD_FILTER, "number");
}

static void test_no_fields(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(filter_check("common_pid == 1", NULL, 0, &error), &error);
        assert_fails(filter_check("x == 1", NULL, 0, &error), &error, ERROR_BAD_FILTER, "no field \"x\"");
}

static void test_what_tells_of_memory(void **state) {
        static const FilterField own[] = {
                { .name = "filename", .is_string = true, .is_indirect = true, .is_foreign = true },
                { .name = "reason", .is_string = true, .is_indirect = true },
                { .name = "ip", .is_pointer = true },
        };
        static const char *const harmless[] = {
                "ip == 5",
                "filename.ustring == \"x\"",
                "reason == \"x\"",
                "comm == \"filename\" || ip != 0",
        };
        static const char *const telling[] = {
                "filename == \"x\"",
                "ip.function == vfs_read",
                "!(ip == 5 && filename ~ \"a*\")",
                "filename.ustring == \"x\" || filename == \"y\"",
        };

        for (size_t i = 0; i < ELEMENTSOF(harmless); i++)
                assert_false(filter_tells_of_memory(harmless[i], own, ELEMENTSOF(own)));
        for (size_t i = 0; i < ELEMENTSOF(telling); i++)
                assert_true(filter_tells_of_memory(telling[i], own, ELEMENTSOF(own)));
}

static void test_nesting(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[256];

        for (unsigned depth = 64; depth <= 65; depth++) {
                memset(text, '(', depth);
                memcpy(text + depth, "prev_pid == 1", 14);
                memset(text + strlen(text), ')', depth + 1);
                text[depth + strlen("prev_pid == 1") + depth] = '\0';
                if (depth == 64)
                        assert_succeeds(check(text, &error), &error);
                else
                        assert_fails(check(text, &error), &error, ERROR_BAD_FILTER, "More than 64 parentheses");
        }
}

static void test_length(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[SPEC_FILTER_LENGTH + 2];

        memset(text, ' ', sizeof(text));
        memcpy(text, "prev_pid == 1", 13);
        text[SPEC_FILTER_LENGTH] = '\0';
        assert_succeeds(check(text, &error), &error);
        text[SPEC_FILTER_LENGTH] = ' ';
        text[SPEC_FILTER_LENGTH + 1] = '\0';
        assert_fails(check(text, &error), &error, ERROR_BAD_FILTER, "4001 bytes long, at most 4000 are taken");
}

/* A long expression is shown in part, with the mark still under the place. */
static void test_excerpt(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[1001];
        const char *line, *caret;

        memset(text, ' ', sizeof(text));
        memcpy(text, "prev_pid == 1", 13);
        memcpy(text + 500, "X", 1);
        text[1000] = '\0';
        assert_true(check(text, &error) < 0);
        assert_true(strlen(error.message) < 300);
        line = strchr(error.message, '\n');
        caret = strrchr(error.message, '\n');
        assert_non_null(line);
        assert_true(caret > line);
        assert_int_equal(line[1 + strspn(caret + 1, " ")], 'X');
}

static void test_string_length(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[300];

        memset(text, 'x', sizeof(text));
        memcpy(text, "prev_comm == \"", 14);
        memcpy(text + 14 + 255, "\"", 2);
        assert_succeeds(check(text, &error), &error);
        text[14 + 255] = 'x';
        memcpy(text + 14 + 256, "\"", 2);
        assert_fails(check(text, &error), &error, ERROR_BAD_FILTER, "longer than the 255 bytes");
}

static void test_text_is_escaped(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(check("prev_pid == 1\nforged: log", &error), &error, ERROR_BAD_FILTER, "1\\x0aforged");
        assert_fails(check("prev_comm == \"\xff\"", &error), &error, ERROR_BAD_FILTER, "\\xff");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_fields_of_the_event_win),
                cmocka_unit_test(test_no_fields),
                cmocka_unit_test(test_what_tells_of_memory),
                cmocka_unit_test(test_nesting),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_excerpt),
                cmocka_unit_test(test_string_length),
                cmocka_unit_test(test_text_is_escaped),
        };

        return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
