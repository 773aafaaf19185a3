/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>

#include "core/synthetic-event.h"

static void check(const char *text, const char *name, const char *fields, size_t n_fields, bool has_stack) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };

        assert_succeeds(synthetic_event_parse(text, &error, &event), &error);
        assert_string_equal(event.name, name);
        assert_string_equal(event.fields, fields);
        assert_int_equal(event.n_fields, n_fields);
        assert_int_equal(event.has_stack, has_stack);
}

static void test_definitions(void **state) {
        check("wakeup_latency u64 lat; pid_t pid; int prio", "wakeup_latency", "u64 lat; pid_t pid; int prio", 3,
              false);
        check(" x  u8 a ;s64 b;", "x", "u8 a; s64 b", 2, false);
        check("x unsigned long a; unsigned  int b", "x", "unsigned long a; unsigned int b", 2, false);
}

static void test_arrays(void **state) {
        check("x char comm[16]; char[] text", "x", "char[16] comm; char[] text", 2, false);
        check("x unsigned long[] stack; u64 lat", "x", "unsigned long[] stack; u64 lat", 2, true);
        check("x long stack[]", "x", "long[] stack", 1, true);
}

static void check_refusal(const char *text, const char *message, const char *marked) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const char *line, *mark;

        assert_true(synthetic_event_check(text, &error) < 0);
        assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
        assert_contains(error_text(&error), message);
        line = strchr(error_text(&error), '\n');
        if (!line)
                fail_msg("no position for \"%s\"", text);
        else {
                mark = strchr(++line, '\n') + 1;
                if (strncmp(line + strlen(mark) - 1, marked, strlen(marked)) != 0)
                        fail_msg("\"%s\" is marked at \"%s\"", text, line + strlen(mark) - 1);
        }
}

static void test_refusals(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        check_refusal("", "A name comes first", "");
        check_refusal("2x u64 a", "A name comes first", "2x");
        check_refusal("abcdefghijklmnopqrstuvwxyz0123456789 u64 a", "A name comes first", "abc");
        check_refusal("x", "The type and name of a field are missing", "");
        check_refusal("x-y u64 a", "A space follows the name", "-y");
        check_refusal("x u65 a", "The types of a field are", "u65");
        check_refusal("x unsigned u64 a", "follows \"unsigned\"", "u64");
        check_refusal("x u64", "The name of a field", "");
        check_refusal("x u64 a b", "';' or the end", "b");
        check_refusal("x u64 a; u64 a", "Two fields", "a");
        check_refusal("x u64 a[4]", "Only char", "[4]");
        check_refusal("x char a[0]", "A text has 1 to 256", "0]");
        check_refusal("x char a[257]", "A text has 1 to 256", "257]");
        check_refusal("x char a[99999999999999999999]", "A text has 1 to 256", "999");
        check_refusal("x char[4] a[4]", "given twice", "[4]");
        check_refusal("x char a[x]", "and ']', follow", "x]");
        check_refusal("x long a[4]", "has no size", "4]");

        assert_fails(synthetic_event_check("x u64 \x01", &error), &error, ERROR_INVALID_ARGUMENT,
                     "control character");
}

static void test_lists(void **state) {
        char *definitions[] = { (char *) "a u64 x; u64 y", (char *) "b long[] st", NULL };
        char *twice[] = { (char *) "a u64 x", (char *) "a u8 x", NULL };
        char *queries[] = { (char *) "a=SELECT x", NULL }, *probes[] = { (char *) "b=kprobe:f", NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        size_t n_fields = 0;

        assert_true(synthetic_events_have(definitions, "a", &n_fields));
        assert_int_equal(n_fields, 2);
        assert_true(synthetic_events_have(definitions, "b", NULL));
        assert_false(synthetic_events_have(definitions, "c", NULL));
        assert_false(synthetic_events_have(NULL, "a", NULL));
        assert_true(synthetic_events_record_stacks(definitions));
        assert_false(synthetic_events_record_stacks(twice));
        assert_int_equal(synthetic_events_check(definitions, NULL, NULL, NULL), 0);
        assert_fails(synthetic_events_check(twice, NULL, NULL, &error), &error, ERROR_INVALID_ARGUMENT, "\"a\"");
        assert_fails(synthetic_events_check(definitions, queries, NULL, &error), &error, ERROR_INVALID_ARGUMENT,
                     "\"a\"");
        assert_fails(synthetic_events_check(definitions, NULL, probes, &error), &error, ERROR_INVALID_ARGUMENT,
                     "\"b\"");
}

static void check_instance(const char *name, const char *instance) {
        const char *found = NULL;
        size_t length = synthetic_event_instance(name, &found);

        assert_int_equal(length, strlen(instance));
        if (length > 0)
                assert_memory_equal(found, instance, length);
}

/* Each is of its own instance, also when that is a watch's; others' are nobody's. */
static void test_instances(void **state) {
        check_instance("ktraced_0123456789abcdef_lat", "0123456789abcdef");
        check_instance("ktraced_0123456789abcdefw0_late u64 matched", "0123456789abcdefw0");
        check_instance("ktraced_0123456789abcdefw12_late", "0123456789abcdefw12");
        check_instance("ktraced_0123456789abcdef_w0", "0123456789abcdef");
        check_instance("ktraced_0123456789abcdefw_late", "");
        check_instance("ktraced_0123456789abcdefw0", "");
        check_instance("ktraced_0123456789abcdef", "");
        check_instance("ktraced_0123456789abcde_lat", "");
        check_instance("ktraced_0123456789abcdef0_lat", "");
        check_instance("other_0123456789abcdef_lat", "");
        check_instance("ktraced_", "");
}

static void test_many_fields(void **state) {
        char text[SYNTHETIC_FIELDS_MAX * 8 + 16];
        size_t length = 1;

        text[0] = 'x';
        for (unsigned i = 0; i <= SYNTHETIC_FIELDS_MAX; i++)
                length += (size_t) sprintf(text + length, " u8 f%02u;", i);
        check_refusal(text, "at most 64 fields", "u8 f64");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_definitions), cmocka_unit_test(test_arrays),
                cmocka_unit_test(test_refusals),    cmocka_unit_test(test_lists),
                cmocka_unit_test(test_many_fields), cmocka_unit_test(test_instances),
        };

        return cmocka_run_group_tests_name("synthetic-event", tests, NULL, NULL);
}
