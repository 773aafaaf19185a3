/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/watch-spec.h"

static void parse(const char *text, WatchSpec *ret) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(watch_spec_parse(text, &error, ret), &error);
}

static void test_event(void **state) {
        CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };

        parse("nginx  event=sched:sched_process_exit interval=5min  daily=3 after=2s reason=\"it \\\"left\\\"\" "
              "if comm ~ \"nginx*\"",
              &watch);
        assert_string_equal(watch.name, "nginx");
        assert_int_equal(watch.kind, WATCH_EVENT);
        assert_string_equal(watch.what, "sched:sched_process_exit");
        assert_string_equal(watch.filter, "comm ~ \"nginx*\"");
        assert_string_equal(watch.reason, "it \"left\"");
        assert_int_equal(watch.action, WATCH_SNAPSHOT);
        assert_int_equal(watch.interval, 300000000);
        assert_int_equal(watch.after, 2000000);
        assert_int_equal(watch.daily, 3);
}

static void test_defaults(void **state) {
        CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };

        parse("oom event=oom:mark_victim", &watch);
        assert_null(watch.filter);
        assert_null(watch.reason);
        assert_int_equal(watch.interval, WATCH_INTERVAL_DEFAULT);
        assert_int_equal(watch.daily, WATCH_DAILY_DEFAULT);
        assert_int_equal(watch.action, WATCH_SNAPSHOT);
        assert_false(watch.optional);
}

static void test_optional(void **state) {
        CLEANUP(watch_spec_clear) WatchSpec yes = { 0 }, no = { 0 };

        parse("slow latency=10ms from=a:b optional=yes to=c:d match=pid", &yes);
        assert_true(yes.optional);
        parse("oom event=oom:mark_victim optional=no if pid == 1", &no);
        assert_false(no.optional);
        assert_string_equal(no.filter, "pid == 1");
}

static void test_pressure(void **state) {
        CLEANUP(watch_spec_clear) WatchSpec some = { 0 }, full = { 0 };

        parse("io pressure=io some=150ms action=start:disk", &some);
        assert_string_equal(some.what, "io");
        assert_int_equal(some.threshold, 150000);
        assert_int_equal(some.window, WATCH_WINDOW_DEFAULT);
        assert_false(some.full);
        assert_int_equal(some.action, WATCH_START);
        assert_string_equal(some.profile, "disk");
        parse("db pressure=memory full=1s window=1s unit=db.service action=stop", &full);
        assert_true(full.full);
        assert_int_equal(full.window, 1000000);
        assert_string_equal(full.unit, "db.service");
        assert_int_equal(full.action, WATCH_STOP);
}

static void test_unit_and_journal(void **state) {
        CLEANUP(watch_spec_clear) WatchSpec failed = { 0 }, watchdog = { 0 }, core = { 0 };

        parse("a unit=var-lib.mount", &failed);
        assert_string_equal(failed.what, "var-lib.mount");
        assert_false(failed.watchdog);
        parse("b unit=web.service on=watchdog action=rotate", &watchdog);
        assert_true(watchdog.watchdog);
        assert_int_equal(watchdog.action, WATCH_ROTATE);
        parse("c journal=fc2e22bc6ee647b6b90729ab34a250b1", &core);
        assert_int_equal(core.kind, WATCH_JOURNAL);
}

static void test_latency(void **state) {
        CLEANUP(watch_spec_clear) WatchSpec watch = { 0 }, one = { 0 };

        parse("slow latency=10ms from=sched:sched_waking to=sched:sched_switch match=pid,next_pid", &watch);
        assert_int_equal(watch.threshold, 10000);
        assert_string_equal(watch.from, "sched:sched_waking");
        assert_string_equal(watch.to, "sched:sched_switch");
        assert_string_equal(watch.match_from, "pid");
        assert_string_equal(watch.match_to, "next_pid");
        parse("disk latency=1s from=block:block_rq_issue to=block:block_rq_complete match=sector", &one);
        assert_string_equal(one.match_from, "sector");
        assert_string_equal(one.match_to, "sector");
}

/* `marked`: what stands at the mark. */
static void check_refusal(const char *text, const char *message, const char *marked) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const char *line, *mark;

        assert_true(watch_check(text, &error) < 0);
        assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
        assert_contains(error_text(&error), message);
        line = strchr(error_text(&error), '\n');
        if (!marked)
                return;
        assert_non_null(line);
        mark = strchr(++line, '\n') + 1;
        assert_memory_equal(line + strlen(mark) - 1, marked, strlen(marked));
}

static void test_refusals(void **state) {
        check_refusal("", "begins with a name", NULL);
        check_refusal("-a event=b:c", "begins with a name", "-a");
        check_refusal("a", "event=, latency=", NULL);
        check_refusal("a evnt=b:c", "event=, latency=", "evnt");
        check_refusal("a oom:mark_victim", "event=, latency=", "oom");
        check_refusal("a event=", "A value is needed", NULL);
        check_refusal("a event=!sched", "selects nothing", "!sched");
        check_refusal("a event=a:b:c", "a:b:c", NULL);
        check_refusal("a event=b:c intervall=5s", "no such key", "intervall");
        check_refusal("a event=b:c interval=soon", "no span", "soon");
        check_refusal("a event=b:c interval=1ms", "from 10ms to", "1ms");
        check_refusal("a event=b:c daily=0", "from 1 to 100000", "0");
        check_refusal("a event=b:c daily=1 daily=2", "twice", "daily=2");
        check_refusal("a event=b:c action=explode", "The actions are", "explode");
        check_refusal("a event=b:c action=start:", "name of a profile", "start:");
        check_refusal("a event=b:c action=stop after=1s", "snapshots only", NULL);
        check_refusal("a event=b:c reason=\"x", "has no other", "\"x");
        check_refusal("a event=b:c reason=\"x\"y", "can follow the quotation mark", "y");
        check_refusal("a event=b:c optional=maybe", "\"yes\" or \"no\"", "maybe");
        check_refusal("a event=b:c if", "The filter is missing", NULL);
        check_refusal("a event=b:c some=1s", "not for a watch of this kind", "some=1s");
        check_refusal("a event=b:c for 5", "KEY=VALUE", "for 5");
        check_refusal("a pressure=disk some=1s", "cpu, memory and io", "disk");
        check_refusal("a pressure=io", "some= or full= is missing", NULL);
        check_refusal("a pressure=io some=1s full=1s", "Only one of", "1s");
        check_refusal("a pressure=io some=3s", "no longer than its window", NULL);
        check_refusal("a pressure=io some=1s window=20s", "from 500ms to 10s", "20s");
        check_refusal("a pressure=io some=1s unit=a.mount", "no unit that has processes", "a.mount");
        check_refusal("a pressure=io some=1s if x == 1", "Only an event can", "if x");
        check_refusal("a unit=../x.service", "no name of a unit", "../x");
        check_refusal("a unit=x.service on=fire", "\"failed\" or", "fire");
        check_refusal("a journal=xyz", "32 of the digits", "xyz");
        check_refusal("a latency=1s from=a:b to=c:d", "from=, to= and match=", NULL);
        check_refusal("a latency=1s from=a:b to=c:* match=pid", "SYSTEM:EVENT", "c:*");
        check_refusal("a latency=1s from=a:b to=c:d match=pid,", "FIELD,FIELD", "pid,");
        check_refusal("a event=b:c reason=\x1b", "control character", NULL);
}

static void test_together(void **state) {
        char a[] = "a event=b:c", b[] = "a unit=x.service", c[] = "a event=b:c action=rotate";
        char d[] = "a latency=1s from=a:b to=c:d match=pid";
        char *const snapshot[] = { a, NULL }, *const twice[] = { a, b, NULL }, *const rotate[] = { c, NULL };
        char *const latency[] = { d, NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(watches_check(snapshot, true, NULL), 0);
        assert_int_equal(watches_check(rotate, false, NULL), 0);
        assert_true(watches_check(snapshot, false, NULL) < 0);
        assert_true(watches_check(rotate, true, NULL) < 0);
        assert_true(watches_check(twice, true, &error) < 0);
        assert_contains(error_text(&error), "two are called \"a\"");
        assert_true(watches_define_events(latency));
        assert_false(watches_define_events(snapshot));
        assert_int_equal(watches_check(NULL, true, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_event),    cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_pressure), cmocka_unit_test(test_unit_and_journal),
                cmocka_unit_test(test_latency),  cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_together), cmocka_unit_test(test_optional),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
