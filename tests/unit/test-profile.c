/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/json-text.h"
#include "core/profile.h"

#define GOOD                                                                                                 \
        "{\"description\": \"What runs\", \"cost\": \"medium\",\n\"events\": [\"sched\"], \"buffer_size\": " \
        "\"8M\"}\n"

static void test_parse(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(profile_freep) Profile *profile = NULL;

        assert_succeeds(profile_parse("sched", GOOD, "f", &error, &profile), &error);
        assert_string_equal(profile->name, "sched");
        assert_string_equal(profile->description, "What runs");
        assert_int_equal(profile->cost, PROFILE_COST_MEDIUM);
        assert_int_equal(profile->spec->buffer_size, 8 << 20);
        assert_null(profile->path);
}

static void test_describe(void **state) {
        CLEANUP(profile_freep) Profile *profile = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *spec;

        assert_int_equal(profile_parse("sched", GOOD, "f", NULL, &profile), 0);
        profile->path = strdup("/x/sched.json");
        assert_int_equal(profile_describe(profile, &text), 0);
        assert_int_equal(json_text_parse(text, "t", NULL, &object), 0);
        assert_string_equal(json_object_get_string(json_object_object_get(object, "name")), "sched");
        assert_string_equal(json_object_get_string(json_object_object_get(object, "description")), "What runs");
        assert_string_equal(json_object_get_string(json_object_object_get(object, "cost")), "medium");
        assert_string_equal(json_object_get_string(json_object_object_get(object, "path")), "/x/sched.json");
        spec = json_object_object_get(object, "spec");
        assert_int_equal(json_object_get_int64(json_object_object_get(spec, "buffer_size")), 8 << 20);
        assert_int_equal(json_object_array_length(json_object_object_get(spec, "events")), 1);
}

#define HEAD "{\"description\": \"d\", \"cost\": \"low\", \"events\": [\"sched\"]"

static void test_bad(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "{", "f:1: the text ends too early" },
                { "{}", "f: \"description\" is missing" },
                { "{\"description\": \"d\", \"events\": []}", "f: \"cost\" is missing" },
                { "{\"description\": \"d\", \"cost\": \"low\"}", "f: \"events\" is missing" },
                { HEAD ",\n\"colour\": 1}", "f:2: Unknown key \"colour\"" },
                { HEAD ",\n\n\"buffer_size\": 1}", "f:3: buffer_size: 1 is out of range" },
                { HEAD ", \"profile\": \"x\"}", "f:1: profile: a profile cannot build on another" },
                { HEAD ", \"attached\": true}", "f:1: attached: only a bus message" },
                { HEAD ", \"clock\": null}", "f:1: clock: must be a string" },
                { "{\"cost\": \"free\"}", "f:1: cost: must be" },
                { "{\"cost\": 1}", "f:1: cost: must be" },
                { "{\"description\": \"\"}", "f:1: description: must be" },
                { "{\"description\": \"a\\nb\"}", "f:1: description: must be" },
                { "{\"description\": null}", "f:1: description: must be" },
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Profile *profile = NULL;

                assert_fails(profile_parse("p", bad[i].text, "f", &error, &profile), &error, ERROR_INVALID_ARGUMENT,
                             bad[i].message);
                assert_null(profile);
        }
}

static void test_bad_name(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Profile *profile = NULL;

        assert_fails(profile_parse("../p", GOOD, "f", &error, &profile), &error, ERROR_INVALID_ARGUMENT, "\"../p\"");
}

static void test_costs(void **state) {
        assert_string_equal(profile_cost_to_string(PROFILE_COST_LOW), "low");
        assert_string_equal(profile_cost_to_string(PROFILE_COST_HIGH), "high");
        assert_string_equal(profile_cost_to_string((ProfileCost) 9), "unknown");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),    cmocka_unit_test(test_describe), cmocka_unit_test(test_bad),
                cmocka_unit_test(test_bad_name), cmocka_unit_test(test_costs),
        };

        return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
