/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/settings.h"

#define SEC 1000000ULL

static int setup(void **state) {
        Settings *settings = calloc(1, sizeof(*settings));

        if (!settings || settings_init(settings) < 0)
                return -1;
        *state = settings;
        return 0;
}

static int teardown(void **state) {
        settings_clear(*state);
        free(*state);
        return 0;
}

static void test_defaults(void **state) {
        const Settings *settings = *state;

        assert_int_equal(settings->sessions_max, 64);
        assert_int_equal(settings->sessions_per_user_max, 16);
        assert_int_equal(settings->buffer_memory_max, 0);
        assert_int_equal(settings->buffer_size, 4 << 20);
        assert_int_equal(settings->segment_size, 64 << 20);
        assert_int_equal(settings->authorization_timeout, 120 * SEC);
        assert_int_equal(settings->latency_renewal, 600 * SEC);
        assert_int_equal(settings->authorizations_max, 32);
        assert_int_equal(settings->authorizations_per_user_max, 4);
        assert_true(settings->captures_compress);
        assert_string_equal(settings->clock, "mono");
        assert_string_equal(settings->previous_boot_instance, "ktraced-boot");
        assert_string_equal(settings->overhead_policy, "warn");
        assert_int_equal(settings->max_cpu_share, 50);
}

static void test_overhead(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Settings *settings = *state;

        assert_succeeds(settings_parse(settings,
                                       "{\"overhead_policy\": \"thin\", \"max_event_rate\": 0, "
                                       "\"overhead_grace\": \"2s\", \"self_max_cpu_share\": 1000}",
                                       "f", &error),
                        &error);
        assert_string_equal(settings->overhead_policy, "thin");
        assert_string_equal(settings->clock, "mono");
        assert_int_equal(settings->max_event_rate, 0);
        assert_int_equal(settings->overhead_grace, 2 * SEC);
        assert_int_equal(settings->self_max_cpu_share, 1000);
        assert_fails(settings_parse(settings, "{\"overhead_policy\": \"panic\"}", "f", &error), &error,
                     ERROR_INVALID_ARGUMENT, "f:1: overhead_policy: \"panic\"");
        assert_fails(settings_parse(settings, "{\"max_cpu_share\": 1001}", "f", &error), &error,
                     ERROR_INVALID_ARGUMENT, "max_cpu_share");
        assert_fails(settings_parse(settings, "{\"self_max_event_rate\": 0}", "f", &error), &error,
                     ERROR_INVALID_ARGUMENT, "self_max_event_rate");
        assert_string_equal(settings->overhead_policy, "thin");
}

static void test_all_keys(void **state) {
        static const char text[] =
                "{\"sessions_max\": 5, \"sessions_per_user_max\": 6, \"buffer_memory_max\": \"2G\",\n"
                "\"buffer_size\": 1048576, \"segment_size\": \"32M\",\n"
                "\"authorization_timeout\": \"1min\", \"authorizations_max\": 7,\n"
                "\"authorizations_per_user_max\": 8, \"captures_compress\": false, \"previous_boot_instance\": \"\", "
                "\"clock\": \"boot\"}\n";
        Settings *settings = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(settings_parse(settings, text, "f", &error), &error);
        assert_int_equal(settings->sessions_max, 5);
        assert_int_equal(settings->sessions_per_user_max, 6);
        assert_int_equal(settings->buffer_memory_max, 2ULL << 30);
        assert_int_equal(settings->buffer_size, 1 << 20);
        assert_int_equal(settings->segment_size, 32 << 20);
        assert_int_equal(settings->authorization_timeout, 60 * SEC);
        assert_int_equal(settings->authorizations_max, 7);
        assert_int_equal(settings->authorizations_per_user_max, 8);
        assert_false(settings->captures_compress);
        assert_string_equal(settings->previous_boot_instance, "");
        assert_string_equal(settings->clock, "boot");
}

/* What is described can be read back, but for what is left open. */
static void test_describe(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Settings *settings = *state;
        struct json_object *object, *value;

        assert_succeeds(settings_parse(settings, "{\"safe_events\": [\"a:b\"], \"markers_max\": 9}", "f", &error),
                        &error);
        assert_int_equal(settings_describe(settings, &object), 0);
        assert_true(json_object_object_get_ex(object, "markers_max", &value));
        assert_int_equal(json_object_get_int64(value), 9);
        assert_true(json_object_object_get_ex(object, "safe_events", &value));
        assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), "[\"a:b\"]");
        assert_true(json_object_object_get_ex(object, "previous_boot_instance", &value));
        assert_string_equal(json_object_get_string(value), "ktraced-boot");
        json_object_object_del(object, "buffer_memory_max");
        json_object_object_del(object, "buffer_memory_per_user_max");
        json_object_object_del(object, "memory_keep_available");
        assert_succeeds(settings_parse(settings, json_object_to_json_string(object), "f", &error), &error);
        (void) json_object_put(object);
}

static void test_only_given_keys_change(void **state) {
        Settings *settings = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(settings_parse(settings, "{\"sessions_max\": 5}", "f", &error), &error);
        assert_succeeds(settings_parse(settings, "{\"clock\": \"boot\"}", "g", &error), &error);
        assert_succeeds(settings_parse(settings, "{}", "h", &error), &error);
        assert_int_equal(settings->sessions_max, 5);
        assert_int_equal(settings->buffer_size, 4 << 20);
        assert_string_equal(settings->clock, "boot");
}

static void test_bad(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "", "f:1: " },
                { "{\"sessions_max\": 1,\n\"clock\"}", "f:2: " },
                { "{\"sessions_max\": 1,\n\n\"sesions_max\": 1}",
                  "f:3: Unknown key \"sesions_max\"; did you mean \"sessions_max\"?" },
                { "{\n\"zzzzzzzzzzzzzzz\": 1}", "f:2: Unknown key \"zzzzzzzzzzzzzzz\"" },
                { "{\"a\\nforged\": 1}", "Unknown key \"a\\x0aforged\"" },
                { "{\"sessions_max\": \"1\"}", "f:1: sessions_max: must be a number" },
                { "{\"sessions_max\": null}", "f:1: sessions_max: must be a number" },
                { "{\"sessions_max\": 0}", "f:1: sessions_max: 0 is out of range, which is 1 to 4096" },
                { "{\"buffer_size\": -4}", "f:1: buffer_size: must be a size" },
                { "{\"buffer_size\": \"4Q\"}", "f:1: buffer_size: must be a size" },
                { "{\"buffer_size\": \"1K\"}", "f:1: buffer_size: 1K is out of range" },
                { "{\"buffer_size\": \"99999999999999999999\"}", "is out of range" },
                { "{\"authorization_timeout\": \"1ms\"}", "f:1: authorization_timeout: 1ms is out of range" },
                { "{\"latency_renewal\": 0}", "f:1: latency_renewal: 0 is out of range" },
                { "{\"clock\": \"No Clock\"}", "f:1: clock: \"No Clock\" is not a valid name" },
                { "{\"captures_compress\": 1}", "f:1: captures_compress: must be a boolean" },
                { "{\"previous_boot_instance\": \"../x\"}",
                  "f:1: previous_boot_instance: \"../x\" is not a valid name" },
                { "{\"clock\": 1}", "f:1: clock: must be a string" },
        };
        Settings *settings = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_fails(settings_parse(settings, bad[i].text, "f", &error), &error, ERROR_INVALID_ARGUMENT,
                             bad[i].message);
        test_defaults(state);
}

/* A good key before the bad one is not taken over either. */
static void test_all_or_nothing(void **state) {
        Settings *settings = *state;

        assert_true(settings_parse(settings, "{\"sessions_max\": 5, \"clock\": \"boot\", \"x\": 1}", "f", NULL) < 0);
        test_defaults(state);
}

static void test_contradictions(void **state) {
        Settings *settings = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(settings_check(settings, &error), &error);
        assert_succeeds(settings_parse(settings, "{\"captures_max_use_per_user\": \"5G\"}", "f", &error), &error);
        assert_fails(settings_check(settings, &error), &error, ERROR_INVALID_ARGUMENT,
                     "captures_max_use_per_user: 5G for each user is more than the 4G");
        assert_succeeds(settings_parse(settings, "{\"captures_max_use\": 0}", "g", &error), &error);
        assert_succeeds(settings_check(settings, &error), &error);
        assert_succeeds(settings_parse(settings, "{\"captures_max_use\": \"5G\"}", "g", &error), &error);
        assert_succeeds(settings_check(settings, &error), &error);
}

#define settings_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                settings_test(test_defaults),
                settings_test(test_overhead),
                settings_test(test_all_keys),
                settings_test(test_describe),
                settings_test(test_only_given_keys_change),
                settings_test(test_bad),
                settings_test(test_all_or_nothing),
                settings_test(test_contradictions),
        };

        return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
