/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "core/spec.h"

#define SEC 1000000ULL

static int setup(void **state) {
        return spec_new((Spec **) state);
}

static int teardown(void **state) {
        spec_free(*state);
        return 0;
}

static int set_string(Spec *spec, SpecKey key, const char *string, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRING, .string = string }, error);
}

static int set_number(Spec *spec, SpecKey key, uint64_t number, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_UNSIGNED, .number = number }, error);
}

static int set_boolean(Spec *spec, SpecKey key, bool boolean, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_BOOLEAN, .boolean = boolean }, error);
}

/* `list` is separated by spaces. */
static int set_list(Spec *spec, SpecKey key, const char *list, Error *error) {
        CLEANUP(strv_freep) char **strings = NULL;

        assert_int_equal(strv_split(list, " ", &strings), 0);
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, error);
}

static int set_one(Spec *spec, SpecKey key, const char *entry, Error *error) {
        char *strings[] = { (char *) entry, NULL };

        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, error);
}

static int set_filter(Spec *spec, const char *pattern, const char *expression, Error *error) {
        char *strings[] = { (char *) pattern, (char *) expression, NULL };

        return spec_set(spec, SPEC_FILTERS, &(SpecValue){ .has = SPEC_TYPE_MAP, .strings = strings }, error);
}

static int set_pids(Spec *spec, const int64_t *numbers, size_t n, Error *error) {
        return spec_set(spec, SPEC_PIDS, &(SpecValue){ .has = SPEC_TYPE_NUMBERS, .numbers = numbers, .n_numbers = n },
                        error);
}

static int set_fds(Spec *spec, SpecKey key, SpecType type, const int *fds, size_t n, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = type, .fds = fds, .n_fds = n }, error);
}

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
        assert_succeeds(set_list(spec, SPEC_SYNTHETIC_EVENTS, "wakeup", &error), &error);
        assert_succeeds(set_one(spec, SPEC_SQL, "SELECT a", &error), &error);
        assert_succeeds(set_one(spec, SPEC_TRIGGERS, "a:b stacktrace", &error), &error);
        assert_succeeds(set_one(spec, SPEC_HISTOGRAMS, "a:b keys=c", &error), &error);
        assert_succeeds(set_string(spec, SPEC_UNIT, "nginx.service", &error), &error);
        assert_succeeds(set_number(spec, SPEC_USER, 1000, &error), &error);
        assert_succeeds(set_string(spec, SPEC_SCOPE, "system", &error), &error);
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
        assert_string_equal(spec->synthetic_events[0], "wakeup");
        assert_string_equal(spec->sql[0], "SELECT a");
        assert_string_equal(spec->triggers[0], "a:b stacktrace");
        assert_string_equal(spec->histograms[0], "a:b keys=c");
        assert_string_equal(spec->unit, "nginx.service");
        assert_int_equal(spec->user, 1000);
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

static void test_has_processes(void **state) {
        assert_false(spec_has_processes(*state));
        assert_int_equal(set_fds(*state, SPEC_PIDFDS, SPEC_TYPE_FDS, NULL, 0, NULL), 0);
        assert_true(spec_has_processes(*state));
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

static void test_processes_do_not_share(void **state) {
        const int64_t pid = 1;
        char *key = (char *) "untouched";

        assert_int_equal(set_list(*state, SPEC_EVENTS, "sched", NULL), 0);
        assert_int_equal(set_pids(*state, &pid, 1, NULL), 0);
        assert_int_equal(spec_source_key(*state, &key), 0);
        assert_null(key);
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

#define spec_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                spec_test(test_keys),
                spec_test(test_set_every_key),
                spec_test(test_wrong_types),
                spec_test(test_twice),
                spec_test(test_ranges),
                spec_test(test_numbers_as_strings),
                spec_test(test_bad_strings),
                spec_test(test_bad_filters),
                spec_test(test_same_filter_twice),
                spec_test(test_bad_pids),
                spec_test(test_too_many),
                spec_test(test_bad_descriptors),
                spec_test(test_validate),
                spec_test(test_output_excludes_rotation),
                spec_test(test_merge),
                spec_test(test_merge_can_exceed_the_limits),
                spec_test(test_copy_keeps_defaults),
                spec_test(test_has_processes),
                spec_test(test_source_key_of_lists),
                spec_test(test_source_key_of_values),
                spec_test(test_processes_do_not_share),
                spec_test(test_powers),
                spec_test(test_graph_rules),
                spec_test(test_powers_of_tracers),
                spec_test(test_tracer_does_without_events),
                spec_test(test_tracer_rules),
                spec_test(test_function_rules),
                spec_test(test_source_key_of_tracers),
        };

        return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
