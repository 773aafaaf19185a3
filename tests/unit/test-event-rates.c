/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "core/event-rates.h"
#include "core/json-text.h"

static EventRates *make(void) {
        static char *const names[] = { (char *) "b:two", (char *) "a:one", (char *) "c:none", (char *) "a:two" };
        static const unsigned ids[] = { 20, 10, 30, 40 };
        EventRates *rates = NULL;

        assert_int_equal(event_rates_new(names, ids, ELEMENTSOF(names), &rates), 0);
        rates->rates[0].counted = 100;
        rates->rates[1].counted = 400;
        rates->rates[1].missed = 100;
        rates->rates[3].counted = 100;
        rates->duration = 2000000;
        rates->cost = 200;
        rates->n_cpus = 2;
        rates->events = 700;
        rates->missed = 100;
        rates->bytes = 7000;
        return rates;
}

static void test_order(void **state) {
        CLEANUP(event_rates_freep) EventRates *rates = make();

        event_rates_finish(rates);
        assert_string_equal(rates->rates[0].event, "a:one");
        assert_int_equal(rates->rates[0].id, 10);
        assert_string_equal(rates->rates[1].event, "a:two");
        assert_string_equal(rates->rates[2].event, "b:two");
        assert_string_equal(rates->rates[3].event, "c:none");
        assert_ptr_equal(event_rates_hottest(rates), &rates->rates[0]);
        assert_int_equal(event_rate(rates, &rates->rates[0]), 250);
}

static void test_nothing_occurred(void **state) {
        static char *const names[] = { (char *) "a:one" };
        static const unsigned ids[] = { 1 };
        CLEANUP(event_rates_freep) EventRates *rates = NULL, *empty = NULL;

        assert_int_equal(event_rates_new(names, ids, 1, &rates), 0);
        event_rates_finish(rates);
        assert_null(event_rates_hottest(rates));
        assert_int_equal(event_rates_new(NULL, NULL, 0, &empty), 0);
        event_rates_finish(empty);
        assert_null(event_rates_hottest(empty));
}

static void test_a_second(void **state) {
        assert_int_equal(rate_per_second(10, 1000000), 10);
        assert_int_equal(rate_per_second(10, 1000700), 10);
        assert_int_equal(rate_per_second(1, 3000000), 0);
        assert_int_equal(rate_per_second(2, 3000000), 1);
        assert_int_equal(rate_per_second(1, 100000), 10);
        assert_int_equal(rate_per_second(5, 0), 0);
        assert_true(rate_per_second(UINT64_MAX, 1) > UINT64_MAX / 2 - 1);
        /* Beyond what fits in 64 bits on the way. */
        assert_int_equal(rate_per_second(UINT64_C(1) << 60, UINT64_C(1) << 60) / 10000, 100);
}

static void test_share(void **state) {
        /* A million events of 200 ns are a fifth of a CPU, and a tenth of two. */
        assert_int_equal(overhead_share(1000000, 200, 1), OVERHEAD_WHOLE / 5);
        assert_int_equal(overhead_share(1000000, 200, 2), OVERHEAD_WHOLE / 10);
        assert_int_equal(overhead_share(1000000, 200, 256), 781);
        assert_int_equal(overhead_share(1000000, 0, 2), 0);
        assert_int_equal(overhead_share(0, 200, 2), 0);
        assert_int_equal(overhead_share(1000000, 200, 0), 0);
        assert_int_equal(overhead_share(UINT64_MAX, UINT64_MAX, 1), UINT64_MAX);
}

static uint64_t number_of(struct json_object *object, const char *key) {
        struct json_object *value;
        uint64_t number = 0;

        assert_true(json_object_object_get_ex(object, key, &value));
        assert_int_equal(json_text_get_unsigned(value, &number), 0);
        return number;
}

static void test_describe(void **state) {
        CLEANUP(event_rates_freep) EventRates *rates = make();
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *rows, *row, *event;

        event_rates_finish(rates);
        assert_int_equal(event_rates_describe(rates, &text), 0);
        assert_int_equal(json_text_parse(text, "rates", NULL, &object), 0);
        assert_int_equal(number_of(object, "duration"), 2000000);
        assert_int_equal(number_of(object, "cpus"), 2);
        assert_int_equal(number_of(object, "event_cost"), 200);
        assert_int_equal(number_of(object, "events"), 700);
        assert_int_equal(number_of(object, "missed"), 100);
        assert_int_equal(number_of(object, "rate"), 350);
        assert_int_equal(number_of(object, "bytes_rate"), 3500);
        assert_int_equal(number_of(object, "cpu_share"), 35);
        assert_true(json_object_object_get_ex(object, "rows", &rows));
        assert_int_equal(json_object_array_length(rows), 4);
        row = json_object_array_get_idx(rows, 0);
        assert_true(json_object_object_get_ex(row, "event", &event));
        assert_string_equal(json_object_get_string(event), "a:one");
        assert_int_equal(number_of(row, "events"), 500);
        assert_int_equal(number_of(row, "missed"), 100);
        assert_int_equal(number_of(row, "rate"), 250);
        assert_int_equal(number_of(row, "cpu_share"), 25);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),    cmocka_unit_test(test_nothing_occurred),
                cmocka_unit_test(test_a_second), cmocka_unit_test(test_share),
                cmocka_unit_test(test_describe),
        };

        return cmocka_run_group_tests_name("event-rates", tests, NULL, NULL);
}
