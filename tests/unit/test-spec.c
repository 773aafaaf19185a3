/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spec-test.h"

#include <fcntl.h>
#include <stdio.h>

#define SEC 1000000ULL

static void test_keys(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        SpecKey key;

        for (unsigned i = 0; i < _SPEC_KEY_MAX; i++) {
                assert_succeeds(spec_key_from_name(spec_key_name((SpecKey) i), &error, &key), &error);
                assert_int_equal(key, i);
                assert_non_null(spec_type_describe(spec_key_type((SpecKey) i)));
        }
        assert_int_equal(spec_key_type(SPEC_BUFFER_SIZE), SPEC_TYPE_SIZE);
        assert_int_equal(spec_key_type(SPEC_FILTERS), SPEC_TYPE_MAP);
        assert_fails(spec_key_from_name("evnts", &error, &key), &error, ERROR_INVALID_ARGUMENT,
                     "\"evnts\"; did you mean \"events\"?");
        assert_fails(spec_key_from_name("", &error, &key), &error, ERROR_INVALID_ARGUMENT, "Unknown key \"\"");
        assert_fails(spec_key_from_name("a\nforged", &error, &key), &error, ERROR_INVALID_ARGUMENT, "a\\x0aforged");
}

static void test_set_every_key(void **state) {
        Spec *spec = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const int64_t pids[] = { 1, 4194304 };
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_succeeds(set_string(spec, SPEC_PROFILE, "irq", &error), &error);
        assert_succeeds(set_list(spec, SPEC_EVENTS, "sched irq:*", &error), &error);
        assert_succeeds(set_filter(spec, "sched", "pid > 5", &error), &error);
        assert_succeeds(set_pids(spec, pids, 2, &error), &error);
        assert_succeeds(set_fds(spec, SPEC_PIDFDS, SPEC_TYPE_FDS, fds, 2, &error), &error);
        assert_succeeds(set_boolean(spec, SPEC_CHILDREN, true, &error), &error);
        assert_succeeds(set_string(spec, SPEC_CPUS, "0-1", &error), &error);
        assert_succeeds(set_string(spec, SPEC_CLOCK, "mono_raw", &error), &error);
        assert_succeeds(set_string(spec, SPEC_BUFFER_SIZE, "4M", &error), &error);
        assert_succeeds(set_list(spec, SPEC_OPTIONS, "stacktrace norecord-cmd", &error), &error);
        assert_succeeds(set_number(spec, SPEC_SEGMENT_SIZE, 1 << 20, &error), &error);
        assert_succeeds(set_string(spec, SPEC_SEGMENT_AGE, "1min", &error), &error);
        assert_succeeds(set_number(spec, SPEC_SEGMENTS, 5, &error), &error);
        assert_succeeds(set_number(spec, SPEC_DURATION, 3 * SEC, &error), &error);
        assert_succeeds(set_boolean(spec, SPEC_SYMBOLS, true, &error), &error);
        assert_succeeds(set_string(spec, SPEC_MODE, "ring", &error), &error);
        assert_succeeds(set_string(spec, SPEC_RING_SIZE, "64M", &error), &error);
        assert_succeeds(set_string(spec, SPEC_WINDOW, "30s", &error), &error);
        assert_succeeds(set_string(spec, SPEC_TRACER, "function_graph", &error), &error);
        assert_succeeds(set_list(spec, SPEC_FUNCTIONS, "vfs_read vfs_write", &error), &error);
        assert_succeeds(set_list(spec, SPEC_FUNCTIONS_NOTRACE, "vfs_fsync", &error), &error);
        assert_succeeds(set_list(spec, SPEC_GRAPH_FUNCTIONS, "ksys_read", &error), &error);
        assert_succeeds(set_list(spec, SPEC_GRAPH_NOTRACE, "mutex_lock", &error), &error);
        assert_succeeds(set_number(spec, SPEC_GRAPH_DEPTH, 3, &error), &error);
        assert_succeeds(set_boolean(spec, SPEC_ALL_FUNCTIONS, true, &error), &error);
        assert_succeeds(set_boolean(spec, SPEC_FUNCTION_STACKS, true, &error), &error);
        assert_succeeds(set_list(spec, SPEC_PROBES, "kprobe:vfs_read", &error), &error);
        assert_succeeds(set_fds(spec, SPEC_PROBE_FILES, SPEC_TYPE_FDS, fds, 2, &error), &error);
        assert_succeeds(set_one(spec, SPEC_SYNTHETIC_EVENTS, "wakeup u64 lat", &error), &error);
        assert_succeeds(set_one(spec, SPEC_SQL, "SELECT a", &error), &error);
        assert_succeeds(set_one(spec, SPEC_TRIGGERS, "a:b stacktrace", &error), &error);
        assert_succeeds(set_one(spec, SPEC_HISTOGRAMS, "a:b keys=c", &error), &error);
        assert_succeeds(set_one(spec, SPEC_WATCHES, "a event=b:c", &error), &error);
        assert_succeeds(set_string(spec, SPEC_UNIT, "nginx.service", &error), &error);
        assert_succeeds(set_number(spec, SPEC_USER, 1000, &error), &error);
        assert_succeeds(set_string(spec, SPEC_SCOPE, "system", &error), &error);
        assert_succeeds(set_number(spec, SPEC_MAX_EVENT_RATE, 100000, &error), &error);
        assert_succeeds(set_number(spec, SPEC_MAX_CPU_SHARE, 20, &error), &error);
        assert_succeeds(set_string(spec, SPEC_OVERHEAD_GRACE, "5s", &error), &error);
        assert_succeeds(set_string(spec, SPEC_OVERHEAD_POLICY, "thin", &error), &error);
        assert_succeeds(set_boolean(spec, SPEC_ATTACHED, true, &error), &error);
        assert_succeeds(set_fds(spec, SPEC_OUTPUT, SPEC_TYPE_FD, fds, 1, &error), &error);

        assert_int_equal(spec->given, (UINT64_C(1) << _SPEC_KEY_MAX) - 1);
        assert_string_equal(spec->profile, "irq");
        assert_int_equal(strv_length(spec->events), 2);
        assert_int_equal(spec->n_filters, 1);
        assert_string_equal(spec->filters[0].expression, "pid > 5");
        assert_int_equal(spec->n_pids, 2);
        assert_int_equal(spec->pids[1], 4194304);
        assert_int_equal(spec->pidfds.n_fds, 2);
        assert_true(spec->pidfds.fds[0] != fds[0]);
        assert_true(fcntl(spec->pidfds.fds[0], F_GETFD) & FD_CLOEXEC);
        assert_true(spec->children);
        assert_int_equal(spec->cpus.n_cpus, 2);
        assert_string_equal(spec->clock, "mono_raw");
        assert_int_equal(spec->buffer_size, 4 << 20);
        assert_int_equal(spec->segment_size, 1 << 20);
        assert_int_equal(spec->segment_age, 60 * SEC);
        assert_int_equal(spec->segments, 5);
        assert_int_equal(spec->duration, 3 * SEC);
        assert_true(spec->symbols);
        assert_true(spec_is_ring(spec));
        assert_int_equal(spec->ring_size, 64 << 20);
        assert_int_equal(spec->window, 30 * SEC);
        assert_string_equal(spec->tracer, "function_graph");
        assert_string_equal(spec->functions[1], "vfs_write");
        assert_string_equal(spec->functions_notrace[0], "vfs_fsync");
        assert_string_equal(spec->graph_functions[0], "ksys_read");
        assert_string_equal(spec->graph_notrace[0], "mutex_lock");
        assert_int_equal(spec->graph_depth, 3);
        assert_true(spec->all_functions);
        assert_true(spec->function_stacks);
        assert_string_equal(spec->probes[0], "kprobe:vfs_read");
        assert_int_equal(spec->probe_files.n_fds, 2);
        assert_string_equal(spec->synthetic_events[0], "wakeup u64 lat");
        assert_string_equal(spec->sql[0], "SELECT a");
        assert_string_equal(spec->triggers[0], "a:b stacktrace");
        assert_string_equal(spec->histograms[0], "a:b keys=c");
        assert_string_equal(spec->watches[0], "a event=b:c");
        assert_string_equal(spec->unit, "nginx.service");
        assert_int_equal(spec->user, 1000);
        assert_int_equal(spec->max_event_rate, 100000);
        assert_int_equal(spec->max_cpu_share, 20);
        assert_int_equal(spec->overhead_grace, 5 * SEC);
        assert_string_equal(spec->overhead_policy, "thin");
        assert_true(spec->attached);
        assert_true(spec->output >= 0);
        (void) close(fds[0]);
        (void) close(fds[1]);
}

static void test_wrong_types(void **state) {
        Spec *spec = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                SpecType type = spec_key_type((SpecKey) key);
                char message[128];
                int r;

                (void) snprintf(message, sizeof(message), "%s: must be %s", spec_key_name((SpecKey) key),
                                spec_type_describe(type));
                if (type == SPEC_TYPE_BOOLEAN)
                        r = set_string(spec, (SpecKey) key, "yes", &error);
                else
                        r = set_boolean(spec, (SpecKey) key, true, &error);
                assert_fails(r, &error, ERROR_INVALID_ARGUMENT, message);
        }
        assert_fails(set_string(spec, SPEC_SEGMENTS, "5", &error), &error, ERROR_INVALID_ARGUMENT,
                     "segments: must be");
        assert_fails(set_string(spec, SPEC_EVENTS, "sched", &error), &error, ERROR_INVALID_ARGUMENT,
                     "events: must be");
        assert_int_equal(spec->given, 0);
}

static void test_twice(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(set_string(*state, SPEC_CLOCK, "mono", &error), &error);
        assert_fails(set_string(*state, SPEC_CLOCK, "boot", &error), &error, ERROR_INVALID_ARGUMENT,
                     "clock: given twice");
        assert_string_equal(((Spec *) *state)->clock, "mono");
}

static void check_number(SpecKey key, uint64_t number, bool good) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;

        assert_int_equal(spec_new(&spec), 0);
        if (good)
                assert_succeeds(set_number(spec, key, number, &error), &error);
        else {
                assert_fails(set_number(spec, key, number, &error), &error, ERROR_INVALID_ARGUMENT,
                             "is out of range");
                assert_int_equal(spec->given, 0);
        }
}

static void test_ranges(void **state) {
        check_number(SPEC_BUFFER_SIZE, 0, false);
        check_number(SPEC_BUFFER_SIZE, SPEC_BUFFER_SIZE_MIN - 1, false);
        check_number(SPEC_BUFFER_SIZE, SPEC_BUFFER_SIZE_MIN, true);
        check_number(SPEC_BUFFER_SIZE, SPEC_BUFFER_SIZE_MAX, true);
        check_number(SPEC_BUFFER_SIZE, SPEC_BUFFER_SIZE_MAX + 1, false);
        check_number(SPEC_BUFFER_SIZE, UINT64_MAX, false);
        check_number(SPEC_SEGMENT_SIZE, SPEC_SEGMENT_SIZE_MIN - 1, false);
        check_number(SPEC_SEGMENT_SIZE, SPEC_SEGMENT_SIZE_MAX, true);
        check_number(SPEC_SEGMENT_AGE, 0, true);
        check_number(SPEC_SEGMENT_AGE, SPEC_SPAN_MIN - 1, false);
        check_number(SPEC_SEGMENT_AGE, SPEC_SPAN_MIN, true);
        check_number(SPEC_DURATION, SPEC_SPAN_MAX, true);
        check_number(SPEC_DURATION, SPEC_SPAN_MAX + 1, false);
        check_number(SPEC_SEGMENTS, 0, true);
        check_number(SPEC_SEGMENTS, SPEC_SEGMENTS_MAX, true);
        check_number(SPEC_SEGMENTS, SPEC_SEGMENTS_MAX + 1ULL, false);
}

static void test_numbers_as_strings(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(set_string(*state, SPEC_BUFFER_SIZE, "4X", &error), &error, ERROR_INVALID_ARGUMENT,
                     "buffer_size: \"4X\" is no size such as 4M");
        assert_fails(set_string(*state, SPEC_BUFFER_SIZE, "1K", &error), &error, ERROR_INVALID_ARGUMENT,
                     "buffer_size: 1K is out of range, which is 64K to 16G");
        assert_fails(set_string(*state, SPEC_BUFFER_SIZE, "99999999999999999999G", &error), &error,
                     ERROR_INVALID_ARGUMENT, "is out of range");
        assert_fails(set_string(*state, SPEC_DURATION, "soon", &error), &error, ERROR_INVALID_ARGUMENT,
                     "duration: \"soon\" is no span of time such as 10s");
        assert_fails(set_string(*state, SPEC_DURATION, "1ms", &error), &error, ERROR_INVALID_ARGUMENT,
                     "duration: 1ms is out of range, which is 100ms to 366d, or 0");
        assert_succeeds(set_string(*state, SPEC_DURATION, "10s", &error), &error);
        assert_int_equal(((Spec *) *state)->duration, 10 * SEC);
}

static void test_bad_strings(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(set_string(*state, SPEC_PROFILE, "../x", &error), &error, ERROR_INVALID_ARGUMENT, "profile: ");
        assert_fails(set_string(*state, SPEC_PROFILE, "a\nb", &error), &error, ERROR_INVALID_ARGUMENT, "a\\x0ab");
        assert_fails(set_string(*state, SPEC_CLOCK, "Mono", &error), &error, ERROR_INVALID_ARGUMENT, "clock: ");
        assert_fails(set_string(*state, SPEC_CPUS, "0-", &error), &error, ERROR_INVALID_ARGUMENT, "cpus: \"0-\"");
        assert_fails(set_list(*state, SPEC_EVENTS, "sched ../x", &error), &error, ERROR_INVALID_ARGUMENT,
                     "events: Event pattern \"../x\"");
        assert_fails(set_list(*state, SPEC_OPTIONS, "overwrite", &error), &error, ERROR_INVALID_ARGUMENT,
                     "options: \"overwrite\" cannot be set");
        assert_int_equal(((Spec *) *state)->given, 0);
}

static void test_bad_filters(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *megabyte = malloc((1 << 20) + 1);

        assert_non_null(megabyte);
        memset(megabyte, 'x', 1 << 20);
        megabyte[1 << 20] = '\0';
        assert_fails(set_filter(*state, "sched", megabyte, &error), &error, ERROR_BAD_FILTER,
                     "filters: The filter for \"sched\" is 1048576 bytes long, at most 4000 are taken");
        assert_fails(set_filter(*state, "sched", "", &error), &error, ERROR_BAD_FILTER, "is empty");
        assert_fails(set_filter(*state, "sched", "a == \"\n\"", &error), &error, ERROR_BAD_FILTER, "\\x0a");
        assert_fails(set_filter(*state, "sched", "a == \"\xff\"", &error), &error, ERROR_BAD_FILTER, "\\xff");
        assert_fails(set_filter(*state, "!sched", "a == 1", &error), &error, ERROR_INVALID_ARGUMENT, "\"!sched\"");
        assert_fails(set_filter(*state, "a b", "a == 1", &error), &error, ERROR_INVALID_ARGUMENT, "filters: ");
        assert_int_equal(((Spec *) *state)->given, 0);
}

static void test_same_filter_twice(void **state) {
        char *strings[] = { (char *) "sched", (char *) "a == 1", (char *) "sched", (char *) "b == 1", NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_fails(spec_set(*state, SPEC_FILTERS, &(SpecValue){ .has = SPEC_TYPE_MAP, .strings = strings }, &error),
                     &error, ERROR_INVALID_ARGUMENT, "filters: \"sched\" has two filters");
}

static void test_bad_pids(void **state) {
        static const int64_t bad[] = { 0, -1, 4194305, INT64_MIN, INT64_MAX };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_fails(set_pids(*state, bad + i, 1, &error), &error, ERROR_INVALID_ARGUMENT,
                             "is no process id (1 to 4194304)");
}

static void test_too_many(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(strv_freep) char **strings = NULL;
        CLEANUP_FREE int64_t *pids = calloc(SPEC_PIDS_MAX + 1, sizeof(*pids));
        int fds[SPEC_PIDFDS_MAX + 1] = { 0 };

        assert_non_null(pids);
        for (unsigned i = 0; i < 10000; i++) {
                char name[16];

                (void) snprintf(name, sizeof(name), "e%u", i);
                assert_int_equal(strv_append(&strings, name), 0);
        }
        assert_fails(
                spec_set(*state, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, &error),
                &error, ERROR_INVALID_ARGUMENT, "events: 10000 entries, at most 1024 are taken");
        assert_fails(
                spec_set(*state, SPEC_OPTIONS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, &error),
                &error, ERROR_INVALID_ARGUMENT, "options: 10000 entries, at most 64 are taken");
        assert_fails(spec_set(*state, SPEC_FILTERS, &(SpecValue){ .has = SPEC_TYPE_MAP, .strings = strings }, &error),
                     &error, ERROR_INVALID_ARGUMENT, "filters: 5000 entries, at most 256 are taken");
        for (size_t i = 0; i <= SPEC_PIDS_MAX; i++)
                pids[i] = 1;
        assert_fails(set_pids(*state, pids, SPEC_PIDS_MAX + 1, &error), &error, ERROR_INVALID_ARGUMENT,
                     "pids: 4097 entries");
        assert_fails(set_fds(*state, SPEC_PIDFDS, SPEC_TYPE_FDS, fds, SPEC_PIDFDS_MAX + 1, &error), &error,
                     ERROR_INVALID_ARGUMENT, "pidfds: 65 entries");
}

static void test_bad_descriptors(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const int bad[] = { 0, -1 };

        assert_fails(set_fds(*state, SPEC_PIDFDS, SPEC_TYPE_FDS, bad, 2, &error), &error, ERROR_BAD_DESCRIPTOR,
                     "pidfds: ");
        assert_fails(set_fds(*state, SPEC_OUTPUT, SPEC_TYPE_FD, bad + 1, 1, &error), &error, ERROR_BAD_DESCRIPTOR,
                     "output: ");
        assert_int_equal(((Spec *) *state)->output, -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                spec_test(test_keys),        spec_test(test_set_every_key), spec_test(test_wrong_types),
                spec_test(test_twice),       spec_test(test_ranges),        spec_test(test_numbers_as_strings),
                spec_test(test_bad_strings), spec_test(test_bad_filters),   spec_test(test_same_filter_twice),
                spec_test(test_bad_pids),    spec_test(test_too_many),      spec_test(test_bad_descriptors),
        };

        return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
