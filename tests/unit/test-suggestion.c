/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/suggestion.h"

static const char *suggest(Suggestion *suggestion, const char *wanted, const char *const *candidates) {
        suggestion_init(suggestion, wanted);
        for (; *candidates; candidates++)
                suggestion_consider(suggestion, *candidates);
        return suggestion_best(suggestion);
}

static void test_nearest(void **state) {
        static const char *const names[] = { "sched_switch", "sched_wakeup", "sched_waking", "irq", NULL };
        Suggestion suggestion;

        assert_string_equal(suggest(&suggestion, "sched_swich", names), "sched_switch");
        assert_string_equal(suggest(&suggestion, "sched_wakup", names), "sched_wakeup");
        assert_string_equal(suggest(&suggestion, "shced_waking", names), "sched_waking");
        assert_string_equal(suggest(&suggestion, "irqs", names), "irq");
}

static void test_nothing_near(void **state) {
        static const char *const names[] = { "sched_switch", "irq", NULL };
        Suggestion suggestion;

        assert_null(suggest(&suggestion, "completely_else", names));
        assert_null(suggest(&suggestion, "", names));
        assert_null(suggest(&suggestion, "x", names));
}

/* The kind does not make a unit's name a likely one, nor keep it from being found. */
static void test_units(void **state) {
        static const char *const names[] = { "dbus.service", "polkit.service", "session-1.scope", NULL };
        Suggestion suggestion;

        assert_null(suggest(&suggestion, "nosuch.service", names));
        assert_string_equal(suggest(&suggestion, "polkitd.service", names), "polkit.service");
        assert_string_equal(suggest(&suggestion, "dubs.service", names), "dbus.service");
}

static void test_long_names_are_passed_over(void **state) {
        char longer[SUGGESTION_LENGTH_MAX + 2], longest[SUGGESTION_LENGTH_MAX + 1];
        const char *const names[] = { longer, NULL }, *const fits[] = { longest, NULL };
        Suggestion suggestion;

        memset(longer, 'a', sizeof(longer));
        longer[sizeof(longer) - 1] = '\0';
        memset(longest, 'a', sizeof(longest));
        longest[sizeof(longest) - 1] = '\0';
        assert_null(suggest(&suggestion, longer, fits));
        assert_null(suggest(&suggestion, longest, names));
        assert_string_equal(suggest(&suggestion, longest, fits), longest);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nearest),
                cmocka_unit_test(test_nothing_near),
                cmocka_unit_test(test_units),
                cmocka_unit_test(test_long_names_are_passed_over),
        };

        return cmocka_run_group_tests_name("suggestion", tests, NULL, NULL);
}
