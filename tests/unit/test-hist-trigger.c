/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/hist-trigger.h"
#include "core/spec.h"

#define WAKEUP "onmatch(sched.sched_waking).trace(wakeup,$lat,next_pid)"

/* What the kernel gets. */
static void check(const char *text, const char *command) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };
        CLEANUP_FREE char *formatted = NULL;

        assert_succeeds(hist_trigger_parse(text, &error, &trigger), &error);
        assert_int_equal(hist_trigger_format(&trigger, &formatted), 0);
        assert_string_equal(formatted, command);
}

static void test_attributes(void **state) {
        check("a:b keys=pid", "hist:keys=pid");
        check("a:b  keys=pid,comm.hex:vals=bytes,hitcount:sort=bytes.descending,pid:size=4096  if pid > 5",
              "hist:keys=pid,comm.hex:vals=bytes,hitcount:sort=bytes.descending,pid:size=4096 if pid > 5");
        check("a:b key=bytes.buckets=100:val=lat.log2", "hist:key=bytes.buckets=100:val=lat.log2");
        check("a:b keys=ip.sym-offset,x.sym", "hist:keys=ip.sym-offset,x.sym");
}

static void test_expressions(void **state) {
        check("a:b keys=pid:ts0=common_timestamp.usecs", "hist:keys=pid:ts0=common_timestamp.usecs");
        check("a:b keys=pid:a=x+y*2,b=0x10-$a:vals=$a/$b", "hist:keys=pid:a=x+y*2,b=0x10-$a:vals=$a/$b");
        check("a:b keys=-(-(x+y)),z", "hist:keys=-(-(x+y)),z");
        check("a:b keys=pid:lat=common_timestamp-sched.sched_waking.$ts0",
              "hist:keys=pid:lat=common_timestamp-sched.sched_waking.$ts0");
}

static void test_actions(void **state) {
        check("a:b keys=pid:lat=x:" WAKEUP " if pid > 5", "hist:keys=pid:lat=x:" WAKEUP " if pid > 5");
        check("a:b keys=pid:onmatch(sched.sched_waking).wakeup( $lat , next_pid ):lat=x",
              "hist:keys=pid:lat=x:" WAKEUP);
        check("a:b keys=pid:x=y:onmax($x).save(comm,prev_pid):onchange($x).trace(e,c.d.prio,c.d.$z)",
              "hist:keys=pid:x=y:onmax($x).save(comm,prev_pid):onchange($x).trace(e,c.d.prio,c.d.$z)");
        check("a:b keys=pid:onmatch(mine).trace(e,f)", "hist:keys=pid:onmatch(mine).trace(e,f)");
}

static void test_parts(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };

        assert_succeeds(hist_trigger_parse("a:b keys=pid:lat=$x:" WAKEUP ":onmax($lat).save(comm)", &error, &trigger),
                        &error);
        assert_string_equal(trigger.event, "a:b");
        assert_int_equal(trigger.n_actions, 2);
        assert_true(hist_action_is_match(&trigger.actions[0]));
        assert_string_equal(trigger.actions[0].target, "sched.sched_waking");
        assert_string_equal(trigger.actions[0].event, "wakeup");
        assert_int_equal(trigger.actions[0].n_parameters, 2);
        assert_false(hist_action_is_match(&trigger.actions[1]));
        assert_string_equal(trigger.actions[1].target, "$lat");
        assert_null(trigger.actions[1].event);
        assert_int_equal(trigger.n_words, 7);
        for (size_t i = 0; i < trigger.n_words; i++)
                assert_memory_equal(trigger.text + trigger.words[i].at, trigger.words[i].name,
                                    strlen(trigger.words[i].name));
        assert_int_equal(trigger.words[1].kind, HIST_DEFINED);
        assert_int_equal(trigger.words[2].kind, HIST_USED);
        assert_int_equal(trigger.words[4].kind, HIST_PARAMETER);
        assert_int_equal(trigger.words[4].action, 0);
        assert_int_equal(trigger.words[6].kind, HIST_FIELD);
}

/* The mark is below `marked`. */
static void assert_marks(const Error *error, const char *text, const char *message, const char *marked) {
        const char *line, *mark;

        assert_int_equal(error->code, ERROR_INVALID_ARGUMENT);
        assert_contains(error_text(error), message);
        line = strchr(error_text(error), '\n');
        if (!line)
                fail_msg("no position for \"%s\"", text);
        else {
                mark = strchr(++line, '\n') + 1;
                if (strncmp(line + strlen(mark) - 1, marked, strlen(marked)) != 0)
                        fail_msg("\"%s\" is marked at \"%s\"", text, line + strlen(mark) - 1);
        }
}

static void check_refusal(const char *text, const char *message, const char *marked) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_true(hist_trigger_check(text, &error) < 0);
        assert_marks(&error, text, message, marked);
}

static void test_refusals(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        check_refusal("", "An event and, behind a space", "");
        check_refusal("a:b", "An event and, behind a space", "");
        check_refusal("!a:b keys=x", "'!' is for events only", "!a:b");
        check_refusal("a:b pid", "There are keys=", "pid");
        check_refusal("a:b =x", "There are keys=", "=x");
        check_refusal("a:b vals=x", "keys= is missing", "");
        check_refusal("a:b keys=", "The name of a field is missing", "");
        check_refusal("a:b keys=pid,", "The name of a field is missing", "");
        check_refusal("a:b keys=pid.hxe", "There are .hex", "hxe");
        check_refusal("a:b keys=pid.buckets=", "There are .hex", "buckets");
        check_refusal("a:b keys=pid:size=5", "A size is a number", "5");
        check_refusal("a:b keys=pid+", "The name of a field is missing", "");
        check_refusal("a:b keys=pid:x=y)", "',' or ':' or a space", ")");
        check_refusal("a:b keys=-(pid", "')' is missing", "(pid");
        check_refusal("a:b keys=-pid", "The name of a field is missing", "-pid");
        check_refusal("a:b keys=(pid)", "The name of a field is missing", "(pid)");
        check_refusal("a:b keys=-(pid)+x", "',' or ':' or a space", "+x");
        check_refusal("a:b keys=-(-(-(-(b", "At most three", "(b");
        check_refusal("a:b keys=pid:x=$", "The name of the variable is missing", "");
        check_refusal("a:b keys=pid:x=1,x=2", "there already", "x=2");
        check_refusal("a:b keys=pid:x=1,y", "A variable and '='", "y");
        check_refusal("a:b keys=pid:name=x", "shared with other sessions", "name=");
        check_refusal("a:b keys=pid:clock=mono", "that of the session", "clock=");
        check_refusal("a:b keys=pid unless x", "\"if\" and a condition", "unless");
        check_refusal("a:b keys=pid if ", "The condition is missing", "");

        assert_fails(hist_trigger_check("a:b keys=\x01", &error), &error, ERROR_INVALID_ARGUMENT,
                     "control character");
}

static void test_refused_actions(void **state) {
        check_refusal("a:b keys=pid:onmatch(", "named as SYSTEM.EVENT", "");
        check_refusal("a:b keys=pid:onmatch(c.).trace(x,y)", "The name of the event is missing", ").trace");
        check_refusal("a:b keys=pid:onmatch(c.d", "\").\" and an action", "");
        check_refusal("a:b keys=pid:onmatch(c.d)", "\").\" and an action", ")");
        check_refusal("a:b keys=pid:onmatch(c.d).trace", "is expected here", "trace");
        check_refusal("a:b keys=pid:onmatch(c.d).trace()", "The name of a synthetic event is missing", ")");
        check_refusal("a:b keys=pid:onmatch(c.d).trace(x)", "The values of the event's fields are missing", ")");
        check_refusal("a:b keys=pid:onmatch(c.d).trace(x;y)", "',' and the values", ";y");
        check_refusal("a:b keys=pid:onmatch(c.d).x(y", "',' or ')'", "");
        check_refusal("a:b keys=pid:onmatch(c.d).x(y,)", "Something is missing", ")");
        check_refusal("a:b keys=pid:onmatch(c.d).x(e.f)", "named as SYSTEM.EVENT.FIELD", "e.f");
        check_refusal("a:b keys=pid:onmatch(c.d).save(f)", "onmatch has trace()", "save");
        check_refusal("a:b keys=pid:onmax(x).save(f)", "named as $NAME", "x)");
        check_refusal("a:b keys=pid:onmax($).save(f)", "The name of the variable is missing", ")");
        check_refusal("a:b keys=pid:onmax($x).save()", "The fields to save are missing", ")");
        check_refusal("a:b keys=pid:onmax($x).save($y)", "The name of a field is missing", "$y");
        check_refusal("a:b keys=pid:onmax($x).snapshot()", "snapshot buffer is not used", "snapshot");
        check_refusal("a:b keys=pid:onmax($x).save(f):onchange($x).save(f)", "only one save()", "save(f)");
        check_refusal("a:b keys=pid:onmax($x).save(f)if", "':' or a space", "if");
        check_refusal("a:b keys=p:onmax($a).x(b):onmax($a).x(b):onmax($a).x(b):onmax($a).x(b):onmax($a).x(b):"
                      "onmax($a).x(b):onmax($a).x(b):onmax($a).x(b):onchange($a).x(b)",
                      "at most 8 actions", "onchange");
}

static void test_many_variables(void **state) {
        check_refusal("a:b keys=p:a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,q=1,r=1",
                      "at most 16 variables", "r=1");
}

static void check_bad_fields(const char *text, const char *message, const char *marked) {
        static const FilterField fields[] = {
                { .name = "prev_pid" },
                { .name = "next_comm", .is_string = true },
                { .name = "reason", .is_string = true, .is_indirect = true },
                { .name = "filename", .is_string = true, .is_indirect = true, .is_foreign = true },
        };
        static const FilterField others[] = { { .name = "prio" } };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };
        int r;

        assert_succeeds(hist_trigger_parse(text, &error, &trigger), &error);
        r = hist_trigger_check_fields(&trigger, fields, ELEMENTSOF(fields), &error);
        for (size_t i = 0; r >= 0 && i < trigger.n_actions; i++)
                r = hist_trigger_check_parameters(&trigger, i, fields, ELEMENTSOF(fields), others, i == 0, &error);
        if (!message) {
                assert_int_equal(r, 0);
                return;
        }
        assert_true(r < 0);
        assert_marks(&error, text, message, marked);
}

static void test_fields(void **state) {
        check_bad_fields("a:b keys=prev_pid,common_cpu:x=prev_pid-1:sort=hitcount:onmax($x).save(next_comm)", NULL,
                         NULL);
        check_bad_fields("a:b keys=prev_pdi", "The event has no field \"prev_pdi\"; did you mean \"prev_pid\"?",
                         "prev_pdi");
        check_bad_fields("a:b keys=prev_pid:x=nothing", "no field \"nothing\"", "nothing");
        check_bad_fields("a:b keys=prev_pid:onmax($x).save(next_com)", "\"next_comm\"?", "next_com)");
        check_bad_fields("a:b keys=prev_pid:onmatch(c.d).x(prio,prev_pid,$y)", NULL, NULL);
        check_bad_fields("a:b keys=prev_pid:onmatch(c.d).x(prios)", "Neither event has a field \"prios\"", "prios");
        /* The fields of the other event are those of this action only. */
        check_bad_fields("a:b keys=prev_pid:onmatch(c.d).x(prio):onmax($x).trace(y,prio)", "field \"prio\"", "prio)");
}

/* The kernel would follow the pointer, wherever it leads. */
static void test_pointers_of_programs(void **state) {
        static const char why[] = "Strings that system calls are given are no keys";
        static const FilterField fields[] = { { .name = "filename", .is_foreign = true } };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };

        check_bad_fields("a:b keys=reason", NULL, NULL);
        check_bad_fields("a:b keys=reason,filename", why, "filename");
        check_bad_fields("a:b keys=prev_pid:x=filename", why, "filename");
        check_bad_fields("a:b keys=prev_pid:onchange($x).save(filename)", why, "filename");
        check_bad_fields("a:b keys=prev_pid:onmatch(c.d).x(filename)", why, "filename");
        assert_succeeds(hist_trigger_parse("a:b keys=c:onmatch(c.d).x(c.d.filename)", &error, &trigger), &error);
        assert_int_equal(trigger.words[1].kind, HIST_QUALIFIED);
        assert_fails(hist_trigger_check_qualified(&trigger, &trigger.words[1], fields, 1, &error), &error,
                     ERROR_INVALID_ARGUMENT, why);
        assert_fails(hist_trigger_check_qualified(&trigger, &trigger.words[1], NULL, 0, &error), &error,
                     ERROR_INVALID_ARGUMENT, "That event has no field \"filename\"");
}

static void check_all(const char *first, const char *second, const char *definition, const char *message) {
        char *histograms[] = { (char *) first, (char *) second, NULL }, *events[] = { (char *) definition, NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = hist_triggers_check(histograms, events, &error);

        if (!message) {
                if (r < 0)
                        fail_msg("%s", error_text(&error));
                return;
        }
        assert_fails(r, &error, ERROR_INVALID_ARGUMENT, message);
}

static void test_all_of_a_session(void **state) {
        static const char event[] = "wakeup u64 lat; pid_t pid";

        check_all("a:b keys=pid:ts0=common_timestamp", "a:c keys=pid:lat=common_timestamp-$ts0:" WAKEUP, event, NULL);
        check_all("a:c keys=pid:lat=common_timestamp-$ts0", "a:b keys=pid:ts0=common_timestamp", NULL,
                  "histograms: No histogram up to here has a variable \"ts0\"");
        check_all("a:b keys=pid:ts0=common_timestamp", "a:c keys=pid:lat=common_timestamp-$ts1", NULL,
                  "did you mean \"ts0\"?");
        check_all("a:b keys=pid:lat=x", "a:c keys=pid:" WAKEUP, "other u64 x", "has no synthetic event \"wakeup\"");
        check_all("a:b keys=pid:lat=x", "a:c keys=pid:" WAKEUP, NULL, "has no synthetic event \"wakeup\"");
        check_all("a:b keys=pid:lat=x", "a:c keys=pid:" WAKEUP, "wakeup u64 lat", "has 1 fields, and gets 2 values");
        check_all("a:b keys=pid", NULL, event, "synthetic_events: no histogram records \"wakeup\"");
        check_all("a:b keys=pid:onmax($x).save(comm)", NULL, NULL, "a variable \"x\"");
        assert_int_equal(hist_triggers_check(NULL, NULL, NULL), 0);
}

static void test_functions(void **state) {
        char *histograms[] = { (char *) "a:b keys=ip.sym", NULL };

        assert_true(hist_triggers_show_functions(histograms));
        assert_false(hist_triggers_show_functions(NULL));
}

static void test_long_texts(void **state) {
        char text[SPEC_TEXT_LENGTH + 2];

        memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(hist_trigger_check(text, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_attributes),       cmocka_unit_test(test_expressions),
                cmocka_unit_test(test_actions),          cmocka_unit_test(test_parts),
                cmocka_unit_test(test_refusals),         cmocka_unit_test(test_refused_actions),
                cmocka_unit_test(test_many_variables),   cmocka_unit_test(test_fields),
                cmocka_unit_test(test_all_of_a_session), cmocka_unit_test(test_functions),
                cmocka_unit_test(test_long_texts),       cmocka_unit_test(test_pointers_of_programs),
        };

        return cmocka_run_group_tests_name("hist-trigger", tests, NULL, NULL);
}
