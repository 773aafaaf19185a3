/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "core/lease-state.h"

static void test_round_trip(void **state) {
        CLEANUP(lease_state_clear) LeaseState lease = { .holder = strdup("web \"1\"") }, again = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *text = NULL;

        assert_non_null(lease.holder);
        assert_int_equal(lease_state_add(&lease, "current_tracer", "nop\n"), 0);
        assert_int_equal(lease_state_add(&lease, "events/sched/sched_switch/filter", "prev_comm == \"a\\b\"\n"), 0);
        assert_int_equal(lease_state_add(&lease, "set_event_pid", ""), 0);
        assert_int_equal(lease_state_format(&lease, &text), 0);
        assert_succeeds(lease_state_parse(text, "state", &error, &again), &error);
        assert_string_equal(again.holder, lease.holder);
        assert_int_equal(again.n_settings, lease.n_settings);
        for (size_t i = 0; i < lease.n_settings; i++) {
                assert_string_equal(again.settings[i].file, lease.settings[i].file);
                assert_string_equal(again.settings[i].text, lease.settings[i].text);
        }
}

static void test_refused(void **state) {
        static const struct {
                const char *text, *wanted;
        } rows[] = {
                { "", "state:1" },
                { "[]", "state:1" },
                { "{}", "settings is no list" },
                { "{\"settings\": 1}", "settings is no list" },
                { "{\"holder\": 1, \"settings\": []}", "holder is no string" },
                { "{\"settings\": [1]}", "entry 1" },
                { "{\"settings\": [{\"file\": \"a\", \"text\": \"\"}, {\"file\": \"b\"}]}", "entry 2" },
                { "{\"settings\": [{\"file\": \"a\", \"text\": 1}]}", "entry 1" },
                { "{\"settings\": [{\"file\": \"\", \"text\": \"\"}]}", "\"\" is not below" },
                { "{\"settings\": [{\"file\": \"/etc/passwd\", \"text\": \"\"}]}", "\"/etc/passwd\" is not below" },
                { "{\"settings\": [{\"file\": \"../a\", \"text\": \"\"}]}", "\"../a\" is not below" },
                { "{\"settings\": [{\"file\": \"a/../../b\", \"text\": \"\"}]}", "is not below" },
                { "{\"settings\": [{\"file\": \"a/..\", \"text\": \"\"}]}", "is not below" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                CLEANUP(lease_state_clear) LeaseState lease = { 0 };
                CLEANUP(error_clear) Error error = ERROR_INIT;

                assert_true(lease_state_parse(rows[i].text, "state", &error, &lease) < 0);
                assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
                assert_non_null(strstr(error_text(&error), rows[i].wanted));
                assert_null(lease.settings);
        }
}

static void test_names_with_dots_are_files(void **state) {
        CLEANUP(lease_state_clear) LeaseState lease = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(lease_state_parse("{\"settings\": [{\"file\": \"events/a..b/enable\", \"text\": \"0\\n\"}]}",
                                          "state", &error, &lease),
                        &error);
        assert_null(lease.holder);
        assert_int_equal(lease.n_settings, 1);
        assert_string_equal(lease.settings[0].text, "0\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_names_with_dots_are_files),
        };

        return cmocka_run_group_tests_name("lease-state", tests, NULL, NULL);
}
