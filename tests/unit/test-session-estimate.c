/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/json-text.h"
#include "core/session-estimate.h"

#define SEC UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

/* A thousand events and 64 KiB a second, of 200 ns each. */
static const EventRates rates = { .duration = 2 * SEC, .cost = 200, .n_cpus = 2, .events = 2000, .bytes = 128 << 10 };

static void test_a_stream(void **state) {
        const SessionEstimate estimate = { .rates = &rates, .buffer_size = MIB, .buffer_memory = 2 * MIB };

        assert_int_equal(session_estimate_disk_rate(&estimate), 64 << 10);
        assert_int_equal(session_estimate_window(&estimate), 0);
        assert_false(session_estimate_is_over(&estimate));
}

static void test_a_ring(void **state) {
        static const EventRates none = { .duration = SEC, .n_cpus = 2 };
        const SessionEstimate estimate = { .rates = &rates, .is_ring = true, .buffer_memory = 2 * MIB };
        const SessionEstimate quiet = { .rates = &none, .is_ring = true, .buffer_memory = 2 * MIB };

        assert_int_equal(session_estimate_disk_rate(&estimate), 0);
        assert_int_equal(session_estimate_window(&estimate), 32 * SEC);
        assert_int_equal(session_estimate_window(&quiet), 0);
}

static void test_over(void **state) {
        SessionEstimate estimate = { .rates = &rates, .max_event_rate = 1000 };

        assert_false(session_estimate_is_over(&estimate));
        estimate.max_event_rate = 999;
        assert_true(session_estimate_is_over(&estimate));
        /* A thousand of them take 200 usec of two seconds of CPU. */
        estimate = (SessionEstimate){ .rates = &rates, .max_cpu_share = 1 };
        assert_false(session_estimate_is_over(&estimate));
        estimate.rates = &(EventRates){ .duration = SEC, .cost = 20000, .n_cpus = 2, .events = 1000 };
        assert_true(session_estimate_is_over(&estimate));
}

static void test_describe(void **state) {
        const SessionEstimate estimate = {
                .rates = &rates, .buffer_size = MIB, .buffer_memory = 2 * MIB, .max_event_rate = 5, .max_cpu_share = 6
        };
        static const struct {
                const char *key;
                uint64_t number;
        } wanted[] = {
                { "rate", 1000 }, { "buffer_size", MIB },  { "buffer_memory", 2 * MIB }, { "disk_rate", 64 << 10 },
                { "window", 0 },  { "max_event_rate", 5 }, { "max_cpu_share", 6 },
        };
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *value;

        assert_int_equal(session_estimate_describe(&estimate, &text), 0);
        assert_int_equal(json_text_parse(text, "estimate", NULL, &object), 0);
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                assert_true(json_object_object_get_ex(object, wanted[i].key, &value));
                assert_int_equal(json_object_get_uint64(value), wanted[i].number);
        }
        assert_true(json_object_object_get_ex(object, "mode", &value));
        assert_string_equal(json_object_get_string(value), "stream");
        assert_true(json_object_object_get_ex(object, "over", &value));
        assert_true(json_object_get_boolean(value));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_stream),
                cmocka_unit_test(test_a_ring),
                cmocka_unit_test(test_over),
                cmocka_unit_test(test_describe),
        };

        return cmocka_run_group_tests_name("session-estimate", tests, NULL, NULL);
}
