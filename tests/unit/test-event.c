/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "core/event.h"

/* Not in order, with a repetition and an empty line, and with the pitfalls: a system call (signal) whose
 * name a system has, one event name in two systems. */
static const char kernel_events[] = "sched:sched_switch\n"
                                    "sched:sched_wakeup\n"
                                    "sched:sched_waking\n"
                                    "irq:irq_handler_entry\n"
                                    "irq:irq_handler_exit\n"
                                    "irq:softirq_entry\n"
                                    "\n"
                                    "signal:signal_deliver\n"
                                    "syscalls:sys_enter_openat\n"
                                    "syscalls:sys_exit_openat\n"
                                    "syscalls:sys_enter_openat2\n"
                                    "syscalls:sys_exit_openat2\n"
                                    "syscalls:sys_enter_signal\n"
                                    "syscalls:sys_exit_signal\n"
                                    "ext4:write_begin\n"
                                    "xfs:write_begin\n"
                                    "sched:sched_switch\n";

static int setup(void **state) {
        EventList *list = calloc(1, sizeof(*list));

        if (!list || event_list_parse(kernel_events, list) < 0)
                return -1;
        *state = list;
        return 0;
}

static int teardown(void **state) {
        event_list_clear(*state);
        free(*state);
        return 0;
}

static void test_list_is_sorted(void **state) {
        const EventList *list = *state;

        assert_int_equal(list->n_events, 15);
        assert_string_equal(list->events[0].system, "ext4");
        assert_string_equal(list->events[14].system, "xfs");
        for (size_t i = 1; i < list->n_events; i++) {
                int r = strcmp(list->events[i - 1].system, list->events[i].system);

                assert_true(r < 0 || (r == 0 && strcmp(list->events[i - 1].name, list->events[i].name) < 0));
        }
}

static void test_bad_list(void **state) {
        static const char *const bad[] = { "sched", ":name\n", "system:\n", "a:b\nc\n", ":" };
        EventList list = { .n_events = 77 };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(event_list_parse(bad[i], &list), -EINVAL);
        assert_int_equal(list.n_events, 77);
        assert_int_equal(event_list_parse("", &list), 0);
        assert_int_equal(list.n_events, 0);
        event_list_clear(&list);
}

static void check_match(const EventList *list, const char *pattern, const char *wanted) {
        CLEANUP(strv_freep) char **names = NULL;
        CLEANUP_FREE char *joined = NULL;

        assert_int_equal(event_pattern_match(pattern, list, &names), 0);
        assert_int_equal(strv_join(names, " ", &joined), 0);
        assert_string_equal(joined, wanted);
}

static void test_match(void **state) {
        const EventList *list = *state;

        check_match(list, "irq", "irq:irq_handler_entry irq:irq_handler_exit irq:softirq_entry");
        check_match(list, "sched:sched_switch", "sched:sched_switch");
        check_match(list, "sched_switch", "sched:sched_switch");
        check_match(list, "sched:*wak*", "sched:sched_wakeup sched:sched_waking");
        check_match(list, "i?q:irq_*", "irq:irq_handler_entry irq:irq_handler_exit");
        check_match(list, "[ex]*:write_begin", "ext4:write_begin xfs:write_begin");
        check_match(list, "[!e]*:write_begin", "xfs:write_begin");
        check_match(list, "write_begin", "ext4:write_begin xfs:write_begin");
        check_match(list, "nothing", "");
        check_match(list, "sched:nothing", "");
        check_match(list, "nothing:*", "");
}

static void test_match_syscalls(void **state) {
        const EventList *list = *state;

        check_match(list, "openat", "syscalls:sys_enter_openat syscalls:sys_exit_openat");
        check_match(list, "syscalls:openat", "syscalls:sys_enter_openat syscalls:sys_exit_openat");
        check_match(list, "openat?", "syscalls:sys_enter_openat2 syscalls:sys_exit_openat2");
        check_match(list, "sys_enter_openat", "syscalls:sys_enter_openat");
        /* The system comes first; with "syscalls:" the call is meant. */
        check_match(list, "signal", "signal:signal_deliver");
        check_match(list, "syscalls:signal", "syscalls:sys_enter_signal syscalls:sys_exit_signal");
        check_match(list, "sched:openat", "");
}

static void test_check(void **state) {
        static const char *const good[] = { "sched", "sched:sched_switch", "*", "*:*", "!sched:*", "[a-z]*",
                                            "[]x]*", "xhci-hcd:*",         "9p" };
        static const char *const bad[] = { "",     "!",     ":",    "a:",       ":b",   "a:b:c", "a b",
                                           "a\nb", "../x",  "a/b",  "a;b",      "a\\*", "[abc",  "a[!]",
                                           "[]",   "\"a\"", "$(x)", "\xc3\xbc", "a,b",  "!!a:" };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char longest[SPEC_PATTERN_LENGTH + 2];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_succeeds(event_pattern_check(good[i], &error), &error);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_fails(event_pattern_check(bad[i], &error), &error, ERROR_INVALID_ARGUMENT, "Event pattern");
        memset(longest, 'a', sizeof(longest));
        longest[SPEC_PATTERN_LENGTH] = '\0';
        assert_succeeds(event_pattern_check(longest, &error), &error);
        longest[SPEC_PATTERN_LENGTH] = 'a';
        longest[SPEC_PATTERN_LENGTH + 1] = '\0';
        assert_fails(event_pattern_check(longest, &error), &error, ERROR_INVALID_ARGUMENT, "257 characters long");
        assert_fails(event_pattern_check("a\nforged: log", &error), &error, ERROR_INVALID_ARGUMENT, "a\\x0aforged");
}

/* Resolves `events` (separated by spaces) and `filters` (pattern, expression, ..., NULL). */
static int resolve(const EventList *list, const char *events, char *const *filters, Error *error,
                   EventSelection *ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP(strv_freep) char **patterns = NULL;

        assert_int_equal(spec_new(&spec), 0);
        assert_int_equal(strv_split(events, " ", &patterns), 0);
        assert_succeeds(
                spec_set(spec, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = patterns }, error),
                error);
        assert_succeeds(spec_set(spec, SPEC_FILTERS, &(SpecValue){ .has = SPEC_TYPE_MAP, .strings = filters }, error),
                        error);
        return event_selection_resolve(spec, list, error, ret);
}

static void check_resolve(const EventList *list, const char *events, const char *wanted, const char *whole,
                          const char *systems) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP_FREE char *whole_joined = NULL, *systems_joined = NULL;
        char joined[4096] = "";

        assert_succeeds(resolve(list, events, NULL, &error, &selection), &error);
        for (size_t i = 0; i < selection.n_choices; i++) {
                size_t at = strlen(joined);

                (void) snprintf(joined + at, sizeof(joined) - at, "%s%s:%s", at > 0 ? " " : "",
                                selection.choices[i].system, selection.choices[i].name);
                assert_null(selection.choices[i].filter);
        }
        assert_string_equal(joined, wanted);
        assert_int_equal(strv_join(selection.whole_systems, " ", &whole_joined), 0);
        assert_string_equal(whole_joined, whole);
        assert_int_equal(strv_join(selection.systems, " ", &systems_joined), 0);
        assert_string_equal(systems_joined, systems);
}

static void test_resolve(void **state) {
        const EventList *list = *state;

        check_resolve(list, "sched_switch sched:sched_switch sched_s*", "sched:sched_switch", "", "sched");
        check_resolve(list, "signal sched",
                      "sched:sched_switch sched:sched_wakeup sched:sched_waking signal:signal_deliver",
                      "sched signal", "sched signal");
        check_resolve(list, "sched_switch sched:sched_wak*",
                      "sched:sched_switch sched:sched_wakeup sched:sched_waking", "sched", "sched");
        check_resolve(list, "openat irq:softirq*",
                      "irq:softirq_entry syscalls:sys_enter_openat syscalls:sys_exit_openat", "", "irq syscalls");
}

static void check_copy(const EventSelection *selection, const char *without, const char *wanted, const char *whole) {
        CLEANUP(event_selection_clear) EventSelection copy = { 0 };
        CLEANUP(strv_freep) char **names = NULL, **left_out = NULL;
        CLEANUP_FREE char *joined = NULL, *whole_joined = NULL;

        assert_int_equal(strv_split(without, " ", &left_out), 0);
        assert_int_equal(event_selection_copy(selection, left_out, &copy), 0);
        assert_int_equal(event_selection_names(&copy, &names), 0);
        assert_int_equal(strv_join(names, " ", &joined), 0);
        assert_string_equal(joined, wanted);
        assert_int_equal(strv_join(copy.whole_systems, " ", &whole_joined), 0);
        assert_string_equal(whole_joined, whole);
}

static void test_copy_without(void **state) {
        static const char *const filters[] = { "irq:*", "irq > 5", NULL };
        CLEANUP(event_selection_clear) EventSelection selection = { 0 }, copy = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(resolve(*state, "sched irq:softirq_entry", (char *const *) filters, &error, &selection),
                        &error);
        check_copy(&selection, "", "irq:softirq_entry sched:sched_switch sched:sched_wakeup sched:sched_waking",
                   "sched");
        check_copy(&selection, "sched:sched_switch", "irq:softirq_entry sched:sched_wakeup sched:sched_waking", "");
        check_copy(&selection, "sched:sched sched:sched_switching irq:softirq_entry",
                   "sched:sched_switch sched:sched_wakeup sched:sched_waking", "");
        check_copy(&selection, "irq:softirq_entry sched:sched_switch sched:sched_wakeup sched:sched_waking", "", "");
        assert_int_equal(event_selection_copy(&selection, NULL, &copy), 0);
        assert_string_equal(copy.choices[0].filter, "irq > 5");
        assert_null(copy.choices[1].filter);
}

static void test_resolve_negative(void **state) {
        const EventList *list = *state;

        check_resolve(list, "irq !irq:irq_handler_*", "irq:softirq_entry", "", "irq");
        check_resolve(list, "irq !irq:softirq_entry irq:softirq_entry",
                      "irq:irq_handler_entry irq:irq_handler_exit irq:softirq_entry", "irq", "irq");
        check_resolve(list, "syscalls !openat !syscalls:signal",
                      "syscalls:sys_enter_openat2 syscalls:sys_exit_openat2", "", "syscalls");
}

static void test_resolve_failures(void **state) {
        static const struct {
                const char *events;
                ErrorCode code;
                const char *message;
        } bad[] = {
                { "sched:sched_swich", ERROR_NO_SUCH_EVENT,
                  "\"sched:sched_swich\"; did you mean \"sched:sched_switch\"?" },
                { "sched_swich", ERROR_NO_SUCH_EVENT, "did you mean \"sched_switch\"?" },
                { "shced", ERROR_NO_SUCH_EVENT, "did you mean \"sched\"?" },
                { "opnat", ERROR_NO_SUCH_EVENT, "did you mean \"openat\"?" },
                { "sched qqqqqqqqqqqqqq", ERROR_NO_SUCH_EVENT, "No event is called \"qqqqqqqqqqqqqq\"" },
                { "zzz*", ERROR_NO_SUCH_EVENT, "No event matches \"zzz*\"" },
                { "sched:x*", ERROR_NO_SUCH_EVENT, "\"sched:x*\"" },
                { "sched !qqqqqqqqq", ERROR_NO_SUCH_EVENT, "\"!qqqqqqqqq\"" },
                { "!sched", ERROR_INVALID_ARGUMENT, "\"!sched\" takes nothing back" },
                { "sched !irq", ERROR_INVALID_ARGUMENT, "\"!irq\" takes nothing back" },
                { "sched !sched", ERROR_INVALID_ARGUMENT, "events" },
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                EventSelection selection = { .n_choices = 77 };

                assert_fails(resolve(*state, bad[i].events, NULL, &error, &selection), &error, bad[i].code,
                             bad[i].message);
                assert_int_equal(selection.n_choices, 77);
        }
}

static void test_filters(void **state) {
        char *filters[] = { (char *) "sched:*wak*", (char *) "pid == 1", (char *) "openat", (char *) "dfd > 0",
                            NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };

        assert_succeeds(resolve(*state, "sched sys_enter_openat", filters, &error, &selection), &error);
        assert_int_equal(selection.n_choices, 4);
        assert_null(selection.choices[0].filter);
        assert_string_equal(selection.choices[1].filter, "pid == 1");
        assert_string_equal(selection.choices[2].filter, "pid == 1");
        assert_string_equal(selection.choices[3].name, "sys_enter_openat");
        assert_string_equal(selection.choices[3].filter, "dfd > 0");
}

static void test_filter_failures(void **state) {
        char *twice[] = { (char *) "sched", (char *) "a == 1", (char *) "sched_switch", (char *) "b == 1", NULL };
        char *elsewhere[] = { (char *) "irq", (char *) "a == 1", NULL };
        char *unknown[] = { (char *) "sched_swich", (char *) "a == 1", NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        EventSelection selection = { 0 };

        assert_fails(resolve(*state, "sched", twice, &error, &selection), &error, ERROR_INVALID_ARGUMENT,
                     "sched:sched_switch has two filters, from \"sched\" and from \"sched_switch\"");
        assert_fails(resolve(*state, "sched", elsewhere, &error, &selection), &error, ERROR_INVALID_ARGUMENT,
                     "\"irq\" is for no event");
        assert_fails(resolve(*state, "sched", unknown, &error, &selection), &error, ERROR_NO_SUCH_EVENT,
                     "did you mean \"sched_switch\"?");
}

static void test_empty_kernel(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        EventSelection selection = { 0 };
        EventList none = { 0 };

        check_match(&none, "sched", "");
        assert_fails(resolve(&none, "sched", NULL, &error, &selection), &error, ERROR_NO_SUCH_EVENT, "\"sched\"");
}

/* A tracer records without any; a filter is still for something that is not there. */
static void test_no_events(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        char *filters[] = { (char *) "sched", (char *) "a == 1", NULL };

        assert_fails(resolve(*state, "", filters, &error, &selection), &error, ERROR_INVALID_ARGUMENT,
                     "\"sched\" is for no event");
        assert_succeeds(resolve(*state, "", NULL, &error, &selection), &error);
        assert_int_equal(selection.n_choices, 0);
        assert_int_equal(strv_length(selection.systems), 0);
}

static double seconds_since(const struct timespec *start) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (double) (now.tv_sec - start->tv_sec) + (double) (now.tv_nsec - start->tv_nsec) / 1e9;
}

/* 2,500 events, as kernels have, and as many patterns as a client may send; the last one is unknown, so
 * that a name is looked for, too. The limit leaves room for sanitizers and slow machines. */
static void test_large(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(event_list_clear) EventList list = { 0 };
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP_FREE char *text = NULL;
        EventSelection selection = { 0 };
        struct timespec start;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        assert_non_null(stream);
        for (unsigned i = 0; i < 2500; i++)
                (void) fprintf(stream, "system_%u:some_longer_event_name_%u\n", i / 20, i);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(event_list_parse(text, &list), 0);
        assert_int_equal(list.n_events, 2500);

        assert_int_equal(spec_new(&spec), 0);
        for (unsigned i = 0; i + 1 < SPEC_EVENTS_MAX; i++)
                assert_int_equal(strv_append(&spec->events, "*:*o*e*n*t*n*"), 0);
        assert_int_equal(strv_append(&spec->events, "system_3:some_longer_event_nme_66"), 0);
        (void) clock_gettime(CLOCK_MONOTONIC, &start);
        assert_fails(event_selection_resolve(spec, &list, &error, &selection), &error, ERROR_NO_SUCH_EVENT,
                     "did you mean \"system_3:some_longer_event_name_66\"?");
        assert_true(seconds_since(&start) < 10);
        print_message("# 1024 patterns on 2500 events: %.3f s\n", seconds_since(&start));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list_is_sorted),
                cmocka_unit_test(test_bad_list),
                cmocka_unit_test(test_match),
                cmocka_unit_test(test_match_syscalls),
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_resolve),
                cmocka_unit_test(test_copy_without),
                cmocka_unit_test(test_resolve_negative),
                cmocka_unit_test(test_resolve_failures),
                cmocka_unit_test(test_filters),
                cmocka_unit_test(test_filter_failures),
                cmocka_unit_test(test_no_events),
                cmocka_unit_test(test_empty_kernel),
                cmocka_unit_test(test_large),
        };

        return cmocka_run_group_tests_name("event", tests, setup, teardown);
}
