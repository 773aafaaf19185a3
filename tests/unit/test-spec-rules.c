/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spec-test.h"

#include <errno.h>

static void test_validate(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(spec_validate(*state, &error), &error, ERROR_INVALID_ARGUMENT, "events: at least one");
        assert_succeeds(set_list(*state, SPEC_EVENTS, "sched", &error), &error);
        assert_succeeds(spec_validate(*state, &error), &error);
        assert_succeeds(set_boolean(*state, SPEC_CHILDREN, true, &error), &error);
        assert_fails(spec_validate(*state, &error), &error, ERROR_INVALID_ARGUMENT,
                     "children: needs pids, pidfds, unit or user");
        assert_succeeds(set_pids(*state, NULL, 0, &error), &error);
        assert_succeeds(spec_validate(*state, &error), &error);
}

static void test_tracer_does_without_events(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(set_string(*state, SPEC_TRACER, "nop", &error), &error);
        assert_fails(spec_validate(*state, &error), &error, ERROR_INVALID_ARGUMENT, "events: at least one");
        free(((Spec *) *state)->tracer);
        ((Spec *) *state)->tracer = strdup("hwlat");
        assert_succeeds(spec_validate(*state, &error), &error);
}

static void test_tracer_rules(void **state) {
        static const struct {
                const char *tracer;
                bool all;
                const char *message; /* NULL: valid */
        } rules[] = {
                { "function", true, NULL },
                { "function", false, "tracer: function without functions" },
                { "function_graph", true, NULL },
                { "function_graph", false, "tracer: function_graph without functions" },
                { "wakeup", true, NULL },
                { "wakeup", false, NULL },
                { "hwlat", true, "all_functions: needs a tracer" },
                { "nop", true, "all_functions: needs a tracer" },
                { NULL, true, "all_functions: needs a tracer" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(spec_freep) Spec *spec = NULL;

                assert_int_equal(spec_new(&spec), 0);
                assert_succeeds(set_list(spec, SPEC_EVENTS, "sched", &error), &error);
                if (rules[i].tracer)
                        assert_succeeds(set_string(spec, SPEC_TRACER, rules[i].tracer, &error), &error);
                if (rules[i].all)
                        assert_succeeds(set_boolean(spec, SPEC_ALL_FUNCTIONS, true, &error), &error);
                if (rules[i].message)
                        assert_fails(spec_validate(spec, &error), &error, ERROR_INVALID_ARGUMENT, rules[i].message);
                else
                        assert_succeeds(spec_validate(spec, &error), &error);
        }
}

static void test_function_rules(void **state) {
        static const struct {
                const char *tracer, *functions, *notrace;
                bool stacks;
                const char *message; /* NULL: valid */
        } rules[] = {
                { "function", "vfs_*", NULL, false, NULL },
                { "function", "vfs_*", "vfs_fsync", true, NULL },
                { "function", NULL, "vfs_fsync", false, "tracer: function without functions" },
                { "function", NULL, NULL, true, "tracer: function without functions" },
                { "function_graph", "vfs_*", NULL, true, "function_stacks: needs the tracer \"function\"" },
                { "wakeup", "vfs_*", NULL, false, NULL },
                { "wakeup", NULL, NULL, true, "function_stacks: needs the tracer \"function\"" },
                { NULL, "vfs_*", NULL, false, "functions: needs a tracer" },
                { "nop", NULL, "vfs_*", false, "functions_notrace: needs a tracer" },
                { "hwlat", "vfs_*", NULL, false, "functions: needs a tracer" },
                /* The kernel will say that there is none. */
                { "functoin", "vfs_*", NULL, false, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(spec_freep) Spec *spec = NULL;

                assert_int_equal(spec_new(&spec), 0);
                assert_succeeds(set_list(spec, SPEC_EVENTS, "sched", &error), &error);
                if (rules[i].tracer)
                        assert_succeeds(set_string(spec, SPEC_TRACER, rules[i].tracer, &error), &error);
                if (rules[i].functions)
                        assert_succeeds(set_list(spec, SPEC_FUNCTIONS, rules[i].functions, &error), &error);
                if (rules[i].notrace)
                        assert_succeeds(set_list(spec, SPEC_FUNCTIONS_NOTRACE, rules[i].notrace, &error), &error);
                if (rules[i].stacks)
                        assert_succeeds(set_boolean(spec, SPEC_FUNCTION_STACKS, true, &error), &error);
                if (rules[i].message)
                        assert_fails(spec_validate(spec, &error), &error, ERROR_INVALID_ARGUMENT, rules[i].message);
                else
                        assert_succeeds(spec_validate(spec, &error), &error);
        }
        assert_false(spec_records_functions(*state));
        assert_int_equal(set_string(*state, SPEC_TRACER, "wakeup", NULL), 0);
        assert_false(spec_records_functions(*state));
        assert_int_equal(set_boolean(*state, SPEC_ALL_FUNCTIONS, true, NULL), 0);
        assert_true(spec_records_functions(*state));
}

static void test_graph_rules(void **state) {
        static const struct {
                const char *tracer;
                SpecKey key;
                const char *message; /* NULL: valid */
        } rules[] = {
                { "function_graph", SPEC_GRAPH_FUNCTIONS, NULL },
                { "function", SPEC_GRAPH_FUNCTIONS, "graph_functions: needs the tracer \"function_graph\"" },
                { "wakeup", SPEC_GRAPH_NOTRACE, "graph_notrace: needs the tracer \"function_graph\"" },
                { "nop", SPEC_GRAPH_FUNCTIONS, "graph_functions: needs the tracer \"function_graph\"" },
                /* Leaving out does not say what there is. */
                { "function_graph", SPEC_GRAPH_NOTRACE, "tracer: function_graph without functions" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(spec_freep) Spec *spec = NULL;

                assert_int_equal(spec_new(&spec), 0);
                assert_succeeds(set_list(spec, SPEC_EVENTS, "sched", &error), &error);
                assert_succeeds(set_string(spec, SPEC_TRACER, rules[i].tracer, &error), &error);
                if (strcmp(rules[i].tracer, "function") == 0)
                        assert_succeeds(set_list(spec, SPEC_FUNCTIONS, "vfs_read", &error), &error);
                assert_succeeds(set_list(spec, rules[i].key, "vfs_*", &error), &error);
                if (rules[i].message)
                        assert_fails(spec_validate(spec, &error), &error, ERROR_INVALID_ARGUMENT, rules[i].message);
                else
                        assert_succeeds(spec_validate(spec, &error), &error);
        }
        assert_int_equal(set_list(*state, SPEC_GRAPH_FUNCTIONS, "*:mod:ext4", NULL), -EINVAL);
}

static void test_output_excludes_rotation(void **state) {
        static const SpecKey keys[] = { SPEC_SEGMENT_SIZE, SPEC_SEGMENT_AGE, SPEC_SEGMENTS };
        const int fd = 0;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(spec_freep) Spec *spec = NULL;

                assert_int_equal(spec_new(&spec), 0);
                assert_succeeds(set_list(spec, SPEC_EVENTS, "sched", &error), &error);
                assert_succeeds(set_fds(spec, SPEC_OUTPUT, SPEC_TYPE_FD, &fd, 1, &error), &error);
                assert_succeeds(spec_validate(spec, &error), &error);
                assert_succeeds(set_number(spec, keys[i], 1000000, &error), &error);
                assert_fails(spec_validate(spec, &error), &error, ERROR_INVALID_ARGUMENT, spec_key_name(keys[i]));
        }
}

static void test_has_processes(void **state) {
        assert_false(spec_has_processes(*state));
        assert_int_equal(set_fds(*state, SPEC_PIDFDS, SPEC_TYPE_FDS, NULL, 0, NULL), 0);
        assert_true(spec_has_processes(*state));
}

static unsigned powers_of(const char *options, bool symbols) {
        CLEANUP(spec_freep) Spec *spec = NULL;

        assert_int_equal(spec_new(&spec), 0);
        assert_int_equal(set_list(spec, SPEC_EVENTS, "sched", NULL), 0);
        assert_int_equal(set_list(spec, SPEC_OPTIONS, options, NULL), 0);
        assert_int_equal(set_boolean(spec, SPEC_SYMBOLS, symbols, NULL), 0);
        return spec_powers(spec);
}

static void test_powers(void **state) {
        const unsigned all = POWER_TRACE_SYSTEM | POWER_TRACE_FUNCTIONS | POWER_KERNEL_ADDRESSES;

        assert_int_equal(powers_of("", false), POWER_TRACE_SYSTEM);
        assert_int_equal(powers_of("nostacktrace record-cmd", false), POWER_TRACE_SYSTEM);
        assert_int_equal(powers_of("stacktrace", false), all);
        assert_int_equal(powers_of("userstacktrace", false), POWER_TRACE_SYSTEM | POWER_TRACE_FUNCTIONS);
        assert_int_equal(powers_of("", true), POWER_TRACE_SYSTEM | POWER_KERNEL_ADDRESSES);
        assert_int_equal(powers_of("sym-addr", false), POWER_TRACE_SYSTEM | POWER_KERNEL_ADDRESSES);
        assert_int_equal(powers_of("nohash-ptr", false), POWER_TRACE_SYSTEM | POWER_KERNEL_ADDRESSES);
        /* Switching it off later does not take the need away: what is asked for is judged, not what is left. */
        assert_int_equal(powers_of("stacktrace nostacktrace", false), all);
}

static void test_powers_of_tracers(void **state) {
        static const char *const tracers[] = { "function", "function_graph", "wakeup", "hwlat" };

        for (size_t i = 0; i < ELEMENTSOF(tracers); i++) {
                CLEANUP(spec_freep) Spec *spec = NULL;

                assert_int_equal(spec_new(&spec), 0);
                assert_int_equal(set_string(spec, SPEC_TRACER, tracers[i], NULL), 0);
                assert_int_equal(spec_powers(spec),
                                 POWER_TRACE_SYSTEM | POWER_TRACE_FUNCTIONS | POWER_KERNEL_ADDRESSES);
                assert_true(spec_needs_symbols(spec));
        }
        assert_int_equal(set_string(*state, SPEC_TRACER, "nop", NULL), 0);
        assert_int_equal(spec_powers(*state), POWER_TRACE_SYSTEM);
        assert_false(spec_needs_symbols(*state));
}

/* A program could have the kernel name the function at each address that it makes up. */
static void test_powers_of_symbols_in_histograms(void **state) {
        char *histograms[] = { (char *) "a:b keys=ip.sym", NULL };
        Spec spec = { .histograms = histograms };

        assert_int_equal(spec_powers(&spec), POWER_TRACE_SYSTEM | POWER_TRACE_FUNCTIONS | POWER_KERNEL_ADDRESSES);
        histograms[0] = (char *) "a:b keys=ip.hex";
        assert_int_equal(spec_powers(&spec), POWER_TRACE_SYSTEM);
}

/* Their events are the session's own, and a stack has addresses of the kernel. */
static void test_synthetic_events(void **state) {
        char wakeup[] = "wakeup u64 lat; pid_t pid", stack[] = "blocked unsigned long[] stack",
             *events[] = { wakeup, NULL };
        char recording[] = "a:b keys=pid:lat=x:onmatch(c.d).trace(wakeup,$lat,pid)",
             *histograms[] = { recording, NULL };
        Spec spec = { .synthetic_events = events, .histograms = histograms, .output = -1 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char *key = NULL;

        assert_int_equal(spec_powers(&spec), POWER_TRACE_SYSTEM | POWER_DEFINE_PROBES);
        assert_false(spec_needs_symbols(&spec));
        assert_succeeds(spec_validate(&spec, &error), &error);
        assert_int_equal(spec_source_key(&spec, &key), 0);
        assert_null(key);
        assert_true(spec_has_own_event(&spec, "wakeup"));
        assert_false(spec_has_own_event(&spec, "sleep"));

        spec.histograms = NULL;
        assert_fails(spec_validate(&spec, &error), &error, ERROR_INVALID_ARGUMENT, "no histogram records \"wakeup\"");
        events[0] = stack;
        assert_int_equal(spec_powers(&spec),
                         POWER_TRACE_SYSTEM | POWER_DEFINE_PROBES | POWER_TRACE_FUNCTIONS | POWER_KERNEL_ADDRESSES);
        assert_true(spec_needs_symbols(&spec));
}

static void test_watches(void **state) {
        char latency[] = "a latency=1s from=a:b to=c:d match=pid action=stop", event[] = "b event=c:d";
        char *texts[] = { latency, NULL, NULL };
        const SpecValue value = { .has = SPEC_TYPE_STRINGS, .strings = texts };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *ring = NULL;

        assert_int_equal(set_list(*state, SPEC_EVENTS, "sched", NULL), 0);
        assert_succeeds(spec_set(*state, SPEC_WATCHES, &value, &error), &error);
        assert_succeeds(spec_validate(*state, &error), &error);
        assert_int_equal(spec_powers(*state), POWER_TRACE_SYSTEM | POWER_DEFINE_PROBES);

        texts[1] = event;
        assert_int_equal(spec_new(&ring), 0);
        assert_int_equal(set_list(ring, SPEC_EVENTS, "sched", NULL), 0);
        assert_succeeds(spec_set(ring, SPEC_WATCHES, &value, &error), &error);
        assert_fails(spec_validate(ring, &error), &error, ERROR_INVALID_ARGUMENT, "watches: b: a snapshot is taken");
        assert_int_equal(set_string(ring, SPEC_MODE, "ring", NULL), 0);
        assert_succeeds(spec_validate(ring, &error), &error);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                spec_test(test_validate),          spec_test(test_tracer_does_without_events),
                spec_test(test_tracer_rules),      spec_test(test_function_rules),
                spec_test(test_graph_rules),       spec_test(test_output_excludes_rotation),
                spec_test(test_has_processes),     spec_test(test_powers),
                spec_test(test_powers_of_tracers), spec_test(test_powers_of_symbols_in_histograms),
                spec_test(test_watches),           spec_test(test_synthetic_events),
        };

        return cmocka_run_group_tests_name("spec-rules", tests, NULL, NULL);
}
