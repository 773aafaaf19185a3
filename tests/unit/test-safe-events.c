/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "core/safe-events.h"

/* One event with a filter or NULL; `more` as the setting has it. */
static int restrict_one(const char *system, const char *name, const char *filter, char *const *more, Error *error,
                        char **ret_filter) {
        EventChoice choice = { (char *) system, (char *) name, filter ? strdup(filter) : NULL };
        EventSelection selection = { .choices = &choice, .n_choices = 1 };
        int r = safe_events_restrict(&selection, more, error);

        if (ret_filter)
                *ret_filter = choice.filter;
        else
                free(choice.filter);
        return r;
}

static void test_safe(void **state) {
        static const char *const events[][2] = {
                { "raw_syscalls", "sys_enter" },    { "raw_syscalls", "sys_exit" },
                { "syscalls", "sys_enter_openat" }, { "syscalls", "sys_exit_openat" },
                { "sched", "sched_process_exec" },  { "sched", "sched_process_exit" },
                { "sched", "sched_process_fork" },  { "signal", "signal_deliver" },
        };

        for (size_t i = 0; i < ELEMENTSOF(events); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP_FREE char *filter = NULL;

                assert_succeeds(restrict_one(events[i][0], events[i][1], NULL, NULL, &error, &filter), &error);
                assert_null(filter);
        }
}

static void test_unsafe(void **state) {
        static const char *const events[][2] = {
                { "sched", "sched_switch" },     { "sched", "sched_wakeup" },
                { "sched", "sched_waking" },     { "sched", "sched_process_free" },
                { "sched", "sched_process" },    { "sched", "sched_stat_runtime" },
                { "signal", "signal_generate" }, { "irq", "irq_handler_entry" },
                { "ftrace", "print" },           { "exceptions", "page_fault_kernel" },
                { "syscalls", "other" },         { "other", "sys_enter_openat" },
        };

        for (size_t i = 0; i < ELEMENTSOF(events); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                char name[64];

                (void) snprintf(name, sizeof(name), "%s:%s", events[i][0], events[i][1]);
                assert_fails(restrict_one(events[i][0], events[i][1], NULL, NULL, &error, NULL), &error,
                             ERROR_OUT_OF_SCOPE, name);
                assert_fails(restrict_one(events[i][0], events[i][1], NULL, NULL, &error, NULL), &error,
                             ERROR_OUT_OF_SCOPE, "org.ktraced1.trace-system");
        }
}

static void test_filter_of_what_is_safe_in_part(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *alone = NULL, *both = NULL;

        assert_succeeds(restrict_one("exceptions", "page_fault_user", NULL, NULL, &error, &alone), &error);
        assert_string_equal(alone, "address < 0x8000000000000000");
        assert_succeeds(restrict_one("exceptions", "page_fault_user", "ip > 5 || ip < 3", NULL, &error, &both),
                        &error);
        assert_string_equal(both, "(address < 0x8000000000000000)&&(ip > 5 || ip < 3)");
}

static void test_administrator_adds(void **state) {
        char switches[] = "sched:sched_s*", block[] = "block", *more[] = { switches, block, NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(restrict_one("sched", "sched_switch", NULL, more, &error, NULL), &error);
        assert_succeeds(restrict_one("block", "block_rq_issue", NULL, more, &error, NULL), &error);
        assert_fails(restrict_one("sched", "sched_wakeup", NULL, more, &error, NULL), &error, ERROR_OUT_OF_SCOPE,
                     "sched:sched_wakeup");
}

static void test_one_unsafe_is_enough(void **state) {
        char raw[] = "raw_syscalls", enter[] = "sys_enter", sched[] = "sched", sched_switch[] = "sched_switch";
        EventChoice choices[] = { { raw, enter, NULL }, { sched, sched_switch, NULL } };
        EventSelection selection = { .choices = choices, .n_choices = 2 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(safe_events_restrict(&selection, NULL, &error), &error, ERROR_OUT_OF_SCOPE,
                     "sched:sched_switch");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_safe),
                cmocka_unit_test(test_unsafe),
                cmocka_unit_test(test_filter_of_what_is_safe_in_part),
                cmocka_unit_test(test_administrator_adds),
                cmocka_unit_test(test_one_unsafe_is_enough),
        };

        return cmocka_run_group_tests_name("safe-events", tests, NULL, NULL);
}
