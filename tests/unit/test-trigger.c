/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/trigger.h"

static void check_trigger(const char *text, const char *event, const char *command, const char *filter) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(trigger_clear) Trigger trigger = { 0 };

        assert_succeeds(trigger_parse(text, &error, &trigger), &error);
        assert_string_equal(trigger.event, event);
        assert_string_equal(trigger.command, command);
        if (filter)
                assert_string_equal(trigger.filter, filter);
        else
                assert_null(trigger.filter);
}

static void test_triggers(void **state) {
        check_trigger("sched:sched_switch stacktrace", "sched:sched_switch", "stacktrace", NULL);
        check_trigger("sched_switch traceoff:1 if prev_pid == 0", "sched_switch", "traceoff:1", "prev_pid == 0");
        check_trigger("a:b  enable_event:c:d:5", "a:b", "enable_event:c:d:5", NULL);
        check_trigger("a:b disable_event:c:d", "a:b", "disable_event:c:d", NULL);
}

/* `marked`: what stands at the mark. */
static void check_refusal(int (*check)(const char *, Error *), const char *text, const char *message,
                          const char *marked) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const char *line, *mark;

        assert_true(check(text, &error) < 0);
        assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
        assert_contains(error_text(&error), message);
        line = strchr(error_text(&error), '\n');
        if (!line || !marked)
                return;
        mark = strchr(++line, '\n') + 1;
        assert_memory_equal(line + strlen(mark) - 1, marked, strlen(marked));
}

static void test_refusals(void **state) {
        check_refusal(trigger_check, "", "An event and, behind a space", "");
        check_refusal(trigger_check, "a:b", "An event and, behind a space", "");
        check_refusal(trigger_check, "a:b nothing", "There are stacktrace, traceon", "nothing");
        check_refusal(trigger_check, "a:b hist:keys=x", "Histograms have a key of their own", "hist");
        check_refusal(trigger_check, "a:b snapshot", "snapshot buffer is not used", "snapshot");
        check_refusal(trigger_check, "a:b stacktrace:x", "':' and a count", ":x");
        check_refusal(trigger_check, "a:b enable_event:c", "Which event is named", "c");
        check_refusal(trigger_check, "a:b enable_event", "':' and which event", "");
        check_refusal(trigger_check, "a:b traceon unless x", "\"if\" and a condition", "unless");
        check_refusal(trigger_check, "a:b traceon if ", "condition", NULL);
        check_refusal(trigger_check, "!a:b traceon", "begins with '!'", NULL);
        check_refusal(trigger_check, "a:b trace\non", "control character", NULL);
}

static void test_lists(void **state) {
        char *triggers[] = { (char *) "a:b stacktrace", (char *) "a:b traceoff", NULL };

        assert_true(triggers_switch(triggers));
        assert_true(triggers_record_stacks(triggers));
        assert_false(triggers_record_stacks(triggers + 1));
        assert_false(triggers_switch(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_triggers),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_lists),
        };

        return cmocka_run_group_tests_name("trigger", tests, NULL, NULL);
}
