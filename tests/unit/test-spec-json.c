/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/json-text.h"
#include "core/spec-json.h"

static int read_spec(const char *text, Error *error, Spec **ret) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r;

        assert_succeeds(json_text_parse(text, "t", error, &object), error);
        if (spec_new(&spec) < 0 || !spec)
                fail();
        json_object_object_foreach(object, key, member) {
                r = spec_set_member_from_json(spec, key, member, error);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(spec);
        return 0;
}

#define FULL                                                                                             \
        "{\"profile\":\"irq\",\"events\":[\"sched\",\"irq:*\"],\"filters\":{\"sched\":\"pid > 5\"},"     \
        "\"pids\":[1,2],\"children\":true,\"cpus\":\"0-1\",\"clock\":\"mono\",\"buffer_size\":4194304,"  \
        "\"options\":[\"stacktrace\"],\"segment_size\":1048576,\"segment_age\":60000000,\"segments\":3," \
        "\"duration\":10000000,\"symbols\":false}"

static void test_round_trip(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;

        assert_succeeds(read_spec(FULL, &error, &spec), &error);
        assert_int_equal(spec->n_pids, 2);
        assert_int_equal(spec->pids[1], 2);
        assert_int_equal(spec->duration, 10000000);
        assert_int_equal(spec_to_json(spec, &object), 0);
        assert_int_equal(json_text_format(object, false, &text), 0);
        assert_string_equal(text, FULL);
}

static void test_strings_for_numbers(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;

        assert_succeeds(read_spec("{\"buffer_size\": \"1M\", \"duration\": \"1min\"}", &error, &spec), &error);
        assert_int_equal(spec->buffer_size, 1 << 20);
        assert_int_equal(spec->duration, 60000000);
}

static void test_empty_lists(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;

        assert_succeeds(read_spec("{\"pids\": [], \"events\": [], \"filters\": {}}", &error, &spec), &error);
        assert_true(spec_has_processes(spec));
        assert_int_equal(strv_length(spec->events), 0);
}

static void test_descriptors_are_counted(void **state) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;
        const int fds[] = { 0, 0 };

        assert_int_equal(spec_new(&spec), 0);
        assert_int_equal(
                spec_set(spec, SPEC_PIDFDS, &(SpecValue){ .has = SPEC_TYPE_FDS, .fds = fds, .n_fds = 2 }, NULL), 0);
        assert_int_equal(
                spec_set(spec, SPEC_OUTPUT, &(SpecValue){ .has = SPEC_TYPE_FD, .fds = fds, .n_fds = 1 }, NULL), 0);
        assert_int_equal(spec_to_json(spec, &object), 0);
        assert_int_equal(json_text_format(object, false, &text), 0);
        assert_string_equal(text, "{\"pidfds\":2,\"output\":1}");
}

static void test_bad(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "{\"evnts\": []}", "Unknown key \"evnts\"; did you mean \"events\"?" },
                { "{\"pidfds\": [1]}", "pidfds: only a bus message" },
                { "{\"attached\": true}", "attached: only a bus message" },
                { "{\"output\": 1}", "output: only a bus message" },
                { "{\"events\": \"sched\"}", "events: must be a list of strings" },
                { "{\"events\": null}", "events: must be a list of strings" },
                { "{\"events\": [1]}", "events: must be a list of strings" },
                { "{\"events\": [null]}", "events: must be a list of strings" },
                { "{\"events\": [[\"sched\"]]}", "events: must be a list of strings" },
                { "{\"events\": {\"a\": \"b\"}}", "events: must be a list of strings" },
                { "{\"events\": [\"a\\u0000b\"]}", "events: must be a list of strings" },
                { "{\"filters\": [\"a\"]}", "filters: must be a map" },
                { "{\"filters\": {\"a\": 1}}", "filters: must be a map" },
                { "{\"pids\": [\"1\"]}", "pids: must be a list of numbers" },
                { "{\"pids\": [1.5]}", "pids: must be a list of numbers" },
                { "{\"pids\": [0]}", "pids: 0 is no process id" },
                { "{\"pids\": [18446744073709551615]}", "is no process id" },
                { "{\"pids\": 1}", "pids: must be a list of numbers" },
                { "{\"children\": 1}", "children: must be a boolean" },
                { "{\"buffer_size\": -1}", "buffer_size: must be a size" },
                { "{\"buffer_size\": 1.5}", "buffer_size: must be a size" },
                { "{\"buffer_size\": 1}", "buffer_size: 1 is out of range" },
                { "{\"segments\": \"1\"}", "segments: must be a number" },
                { "{\"clock\": 1}", "clock: must be a string" },
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Spec *spec = NULL;

                assert_fails(read_spec(bad[i].text, &error, &spec), &error, ERROR_INVALID_ARGUMENT, bad[i].message);
                assert_null(spec);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_strings_for_numbers),
                cmocka_unit_test(test_empty_lists), cmocka_unit_test(test_descriptors_are_counted),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests_name("spec-json", tests, NULL, NULL);
}
