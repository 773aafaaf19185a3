/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/event-rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json-text.h"
#include "ktraced/cleanup.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

void event_rates_free(EventRates *rates) {
        if (!rates)
                return;
        for (size_t i = 0; i < rates->n_rates; i++)
                free(rates->rates[i].event);
        free(rates->rates);
        free(rates);
}

int event_rates_new(char *const *names, const unsigned *ids, size_t n, EventRates **ret) {
        CLEANUP(event_rates_freep) EventRates *rates = calloc(1, sizeof(*rates));

        if (!rates)
                return -ENOMEM;
        rates->rates = calloc(n > 0 ? n : 1, sizeof(rates->rates[0]));
        if (!rates->rates)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                rates->rates[i] = (EventRate){ .event = strdup(names[i]), .id = ids[i] };
                if (!rates->rates[i].event)
                        return -ENOMEM;
                rates->n_rates++;
        }
        *ret = STEAL_PTR(rates);
        return 0;
}

static uint64_t number_of(const EventRate *rate) {
        return rate->counted + rate->missed;
}

static int compare(const void *a, const void *b) {
        const EventRate *one = a, *other = b;

        if (number_of(one) != number_of(other))
                return number_of(one) > number_of(other) ? -1 : 1;
        return strcmp(one->event, other->event);
}

void event_rates_finish(EventRates *rates) {
        qsort(rates->rates, rates->n_rates, sizeof(rates->rates[0]), compare);
}

const EventRate *event_rates_hottest(const EventRates *rates) {
        return rates->n_rates > 0 && number_of(&rates->rates[0]) > 0 ? &rates->rates[0] : NULL;
}

/* a * b / divisor. What fits in no number is more than any limit; a product that fits in none loses the last digits
 * of `a`, which is large then. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t divisor) {
        uint64_t product;

        if (!__builtin_mul_overflow(a, b, &product))
                return product / divisor;
        return __builtin_mul_overflow(a / divisor, b, &product) ? UINT64_MAX : product;
}

uint64_t rate_per_second(uint64_t n, uint64_t duration) {
        uint64_t doubled;

        if (duration == 0)
                return 0;
        /* To the nearest, so that an event in a little more than a second is one a second. */
        doubled = scale(n, 2 * USEC_PER_SEC, duration);
        return doubled / 2 + doubled % 2;
}

uint64_t event_rate(const EventRates *rates, const EventRate *rate) {
        return rate_per_second(number_of(rate), rates->duration);
}

uint64_t overhead_share(uint64_t rate, uint64_t cost, unsigned n_cpus) {
        return n_cpus == 0 ? 0 : scale(rate, cost, NSEC_PER_USEC * n_cpus);
}

static int describe_row(const EventRates *rates, const EventRate *rate, struct json_object *array) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        const uint64_t a_second = event_rate(rates, rate);
        int r;

        r = json_text_add_string(object, "event", rate->event);
        if (r >= 0)
                r = json_text_add_unsigned(object, "events", number_of(rate));
        if (r >= 0)
                r = json_text_add_unsigned(object, "missed", rate->missed);
        if (r >= 0)
                r = json_text_add_unsigned(object, "rate", a_second);
        if (r >= 0)
                r = json_text_add_unsigned(object, "cpu_share", overhead_share(a_second, rates->cost, rates->n_cpus));
        if (r >= 0 && json_object_array_add(array, object) < 0)
                r = -ENOMEM;
        if (r >= 0)
                object = NULL;
        return r;
}

static int describe_rows(const EventRates *rates, struct json_object *object) {
        CLEANUP_JSON struct json_object *array = json_object_new_array();
        int r = array ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < rates->n_rates; i++)
                r = describe_row(rates, &rates->rates[i], array);
        return r < 0 ? r : json_text_add(object, "rows", STEAL_PTR(array));
}

int event_rates_to_json(const EventRates *rates, struct json_object **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        const uint64_t rate = rate_per_second(rates->events, rates->duration);
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "duration", rates->duration },
                { "cpus", rates->n_cpus },
                { "event_cost", rates->cost },
                { "events", rates->events },
                { "missed", rates->missed },
                { "rate", rate },
                { "bytes_rate", rate_per_second(rates->bytes, rates->duration) },
                { "cpu_share", overhead_share(rate, rates->cost, rates->n_cpus) },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
                r = json_text_add_unsigned(object, numbers[i].key, numbers[i].value);
        if (r >= 0)
                r = describe_rows(rates, object);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(object);
        return 0;
}

int event_rates_describe(const EventRates *rates, char **ret) {
        CLEANUP_JSON struct json_object *object = NULL;
        int r = event_rates_to_json(rates, &object);

        return r < 0 ? r : json_text_format(object, false, ret);
}
