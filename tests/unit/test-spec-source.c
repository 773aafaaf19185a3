/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spec-test.h"

#define SEC 1000000ULL

static void test_merge(void **state) {
        Spec *base = *state;
        CLEANUP(spec_freep) Spec *over = NULL, *merged = NULL;
        CLEANUP_FREE char *events = NULL, *options = NULL;
        const int64_t pid = 7;
        const int fd = 0;

        assert_int_equal(spec_new(&over), 0);
        assert_int_equal(set_list(base, SPEC_EVENTS, "sched", NULL), 0);
        assert_int_equal(set_filter(base, "sched", "pid > 5", NULL), 0);
        assert_int_equal(set_string(base, SPEC_CLOCK, "mono", NULL), 0);
        assert_int_equal(set_number(base, SPEC_BUFFER_SIZE, 1 << 20, NULL), 0);
        assert_int_equal(set_number(base, SPEC_DURATION, 5 * SEC, NULL), 0);
        assert_int_equal(set_string(base, SPEC_CPUS, "0", NULL), 0);
        assert_int_equal(set_boolean(base, SPEC_SYMBOLS, true, NULL), 0);
        assert_int_equal(set_list(base, SPEC_OPTIONS, "a", NULL), 0);

        assert_int_equal(set_list(over, SPEC_EVENTS, "irq sched", NULL), 0);
        assert_int_equal(set_filter(over, "sched", "pid > 6", NULL), 0);
        assert_int_equal(set_string(over, SPEC_CLOCK, "boot", NULL), 0);
        assert_int_equal(set_number(over, SPEC_DURATION, 0, NULL), 0);
        assert_int_equal(set_string(over, SPEC_CPUS, "1-2", NULL), 0);
        assert_int_equal(set_boolean(over, SPEC_SYMBOLS, false, NULL), 0);
        assert_int_equal(set_list(over, SPEC_OPTIONS, "noa", NULL), 0);
        assert_int_equal(set_pids(over, &pid, 1, NULL), 0);
        assert_int_equal(set_fds(over, SPEC_PIDFDS, SPEC_TYPE_FDS, &fd, 1, NULL), 0);
        assert_int_equal(set_fds(over, SPEC_OUTPUT, SPEC_TYPE_FD, &fd, 1, NULL), 0);

        assert_int_equal(spec_merge(base, over, &merged), 0);
        assert_int_equal(strv_join(merged->events, " ", &events), 0);
        assert_string_equal(events, "sched irq sched");
        assert_int_equal(strv_join(merged->options, " ", &options), 0);
        assert_string_equal(options, "a noa");
        assert_int_equal(merged->n_filters, 1);
        assert_string_equal(merged->filters[0].expression, "pid > 6");
        assert_string_equal(merged->clock, "boot");
        assert_int_equal(merged->buffer_size, 1 << 20);
        assert_int_equal(merged->duration, 0);
        assert_int_equal(merged->cpus.n_cpus, 2);
        assert_false(merged->symbols);
        assert_int_equal(merged->n_pids, 1);
        assert_int_equal(merged->pidfds.n_fds, 1);
        assert_true(merged->pidfds.fds[0] != over->pidfds.fds[0]);
        assert_true(merged->output >= 0 && merged->output != over->output);
        assert_int_equal(merged->given, base->given | over->given);
        assert_int_equal(strv_length(base->events), 1);
}

static void test_merge_can_exceed_the_limits(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *merged = NULL;
        CLEANUP(strv_freep) char **strings = NULL;

        for (unsigned i = 0; i < SPEC_EVENTS_MAX; i++)
                assert_int_equal(strv_append(&strings, "sched"), 0);
        assert_succeeds(
                spec_set(*state, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, &error),
                &error);
        assert_succeeds(spec_validate(*state, &error), &error);
        assert_int_equal(spec_merge(*state, *state, &merged), 0);
        assert_fails(spec_validate(merged, &error), &error, ERROR_INVALID_ARGUMENT, "events: 2048 entries");
}

/* Defaults are filled in without being given: a copy has them, too. */
static void test_copy_keeps_defaults(void **state) {
        Spec *spec = *state;
        CLEANUP(spec_freep) Spec *copy = NULL;

        spec->buffer_size = 12345;
        spec->segment_size = 67890;
        spec->clock = strdup("mono");
        assert_int_equal(spec_copy(spec, &copy), 0);
        assert_int_equal(copy->buffer_size, 12345);
        assert_int_equal(copy->segment_size, 67890);
        assert_string_equal(copy->clock, "mono");
        assert_int_equal(copy->given, 0);
        assert_int_equal(copy->output, -1);
}

static char *source_key(const char *events, const char *options, const char *filter_of_sched) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        char *key = NULL;

        assert_int_equal(spec_new(&spec), 0);
        assert_int_equal(set_list(spec, SPEC_EVENTS, events, NULL), 0);
        assert_int_equal(set_list(spec, SPEC_OPTIONS, options, NULL), 0);
        if (filter_of_sched)
                assert_int_equal(set_filter(spec, "sched", filter_of_sched, NULL), 0);
        assert_int_equal(spec_source_key(spec, &key), 0);
        assert_non_null(key);
        return key;
}

static void check_same(char *a, char *b, bool same) {
        if ((strcmp(a, b) == 0) != same)
                fail_msg("these should%s be the same:\n%s\n%s", same ? "" : " not", a, b);
        free(a);
        free(b);
}

static void test_source_key_of_lists(void **state) {
        check_same(source_key("sched irq", "", NULL), source_key("irq sched irq", "", NULL), true);
        check_same(source_key("sched", "", NULL), source_key("irq", "", NULL), false);
        check_same(source_key("sched", "a b", NULL), source_key("sched", "b a", NULL), true);
        check_same(source_key("sched", "a noa", NULL), source_key("sched", "noa", NULL), true);
        check_same(source_key("sched", "a noa", NULL), source_key("sched", "noa a", NULL), false);
        check_same(source_key("sched", "", "pid > 1"), source_key("sched", "", "pid > 1"), true);
        check_same(source_key("sched", "", "pid > 1"), source_key("sched", "", "pid > 2"), false);
        check_same(source_key("sched", "", "pid > 1"), source_key("sched", "", NULL), false);
        /* Taking back counts from where it stands. */
        check_same(source_key("sched !sched:x irq", "", NULL), source_key("irq sched !sched:x", "", NULL), false);
        check_same(source_key("sched irq !irq:b !irq:a", "", NULL), source_key("irq sched !irq:a !irq:b", "", NULL),
                   true);
}

static void test_source_key_of_values(void **state) {
        static const struct {
                SpecKey key;
                const char *value;
        } values[] = { { SPEC_BUFFER_SIZE, "1M" }, { SPEC_CLOCK, "boot" }, { SPEC_CPUS, "0" } };
        Spec *spec = *state;
        CLEANUP_FREE char *plain = NULL, *unchanged = NULL, *symbols = NULL;

        assert_int_equal(set_list(spec, SPEC_EVENTS, "sched", NULL), 0);
        assert_int_equal(spec_source_key(spec, &plain), 0);
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                CLEANUP(spec_freep) Spec *other = NULL;
                CLEANUP_FREE char *key = NULL;

                assert_int_equal(spec_copy(spec, &other), 0);
                assert_int_equal(set_string(other, values[i].key, values[i].value, NULL), 0);
                assert_int_equal(spec_source_key(other, &key), 0);
                assert_string_not_equal(key, plain);
        }
        /* What the kernel does not see makes no difference. */
        assert_int_equal(set_number(spec, SPEC_SEGMENT_SIZE, 1 << 20, NULL), 0);
        assert_int_equal(set_number(spec, SPEC_DURATION, 5 * SEC, NULL), 0);
        assert_int_equal(set_string(spec, SPEC_PROFILE, "x", NULL), 0);
        assert_int_equal(spec_source_key(spec, &unchanged), 0);
        assert_string_equal(unchanged, plain);
        assert_int_equal(set_boolean(spec, SPEC_SYMBOLS, true, NULL), 0);
        assert_int_equal(spec_source_key(spec, &symbols), 0);
        assert_string_not_equal(symbols, plain);
}

static char *source_key_of_tracer(const char *tracer, bool all) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        char *key = NULL;

        assert_int_equal(spec_new(&spec), 0);
        assert_int_equal(set_list(spec, SPEC_EVENTS, "sched", NULL), 0);
        if (tracer)
                assert_int_equal(set_string(spec, SPEC_TRACER, tracer, NULL), 0);
        if (all)
                assert_int_equal(set_boolean(spec, SPEC_ALL_FUNCTIONS, true, NULL), 0);
        assert_int_equal(spec_source_key(spec, &key), 0);
        assert_non_null(key);
        return key;
}

static void test_source_key_of_tracers(void **state) {
        check_same(source_key_of_tracer(NULL, false), source_key_of_tracer("nop", false), true);
        check_same(source_key_of_tracer("hwlat", false), source_key_of_tracer("hwlat", false), true);
        check_same(source_key_of_tracer("hwlat", false), source_key_of_tracer(NULL, false), false);
        check_same(source_key_of_tracer("wakeup", false), source_key_of_tracer("wakeup", true), false);
        check_same(source_key_of_tracer("wakeup", false), source_key_of_tracer("wakeup_rt", false), false);
}

/* Lists that are empty make no difference, in the spec and in its copy. */
static void test_empty_lists_share(void **state) {
        static const SpecKey keys[] = { SPEC_PROBES, SPEC_TRIGGERS, SPEC_HISTOGRAMS, SPEC_SQL,
                                        SPEC_SYNTHETIC_EVENTS };
        CLEANUP(spec_freep) Spec *copy = NULL;
        char *plain, *with = NULL, *of_copy = NULL;
        char *none[] = { NULL };

        plain = source_key("sched", "", NULL);
        assert_int_equal(set_list(*state, SPEC_EVENTS, "sched", NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                assert_int_equal(
                        spec_set(*state, keys[i], &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = none }, NULL),
                        0);
        assert_int_equal(spec_source_key(*state, &with), 0);
        assert_non_null(with);
        assert_string_equal(plain, with);
        assert_int_equal(spec_copy(*state, &copy), 0);
        assert_int_equal(spec_source_key(copy, &of_copy), 0);
        assert_non_null(of_copy);
        check_same(with, of_copy, true);
        free(plain);
}

static void test_processes_do_not_share(void **state) {
        const int64_t pid = 1;
        char *key = (char *) "untouched";

        assert_int_equal(set_list(*state, SPEC_EVENTS, "sched", NULL), 0);
        assert_int_equal(set_pids(*state, &pid, 1, NULL), 0);
        assert_int_equal(spec_source_key(*state, &key), 0);
        assert_null(key);
}

/* Events that were switched off for one would be missing in the other. */
static void test_what_may_be_thinned_does_not_share(void **state) {
        Spec *spec = *state;
        CLEANUP_FREE char *key = NULL;

        assert_int_equal(set_list(spec, SPEC_EVENTS, "sched", NULL), 0);
        assert_int_equal(set_string(spec, SPEC_OVERHEAD_POLICY, "thin", NULL), 0);
        assert_int_equal(spec_source_key(spec, &key), 0);
        assert_non_null(key);
        free(key);
        key = (char *) "untouched";
        assert_int_equal(set_number(spec, SPEC_MAX_EVENT_RATE, 1000, NULL), 0);
        assert_int_equal(spec_source_key(spec, &key), 0);
        assert_null(key);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                spec_test(test_merge),
                spec_test(test_merge_can_exceed_the_limits),
                spec_test(test_copy_keeps_defaults),
                spec_test(test_source_key_of_lists),
                spec_test(test_source_key_of_values),
                spec_test(test_source_key_of_tracers),
                spec_test(test_empty_lists_share),
                spec_test(test_processes_do_not_share),
                spec_test(test_what_may_be_thinned_does_not_share),
        };

        return cmocka_run_group_tests_name("spec-source", tests, NULL, NULL);
}
