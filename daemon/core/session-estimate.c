/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/session-estimate.h"

#include "core/json-text.h"
#include "ktraced/cleanup.h"

#define PER_PERMILLE (OVERHEAD_WHOLE / 1000)

uint64_t session_estimate_disk_rate(const SessionEstimate *estimate) {
        return estimate->is_ring ? 0 : rate_per_second(estimate->rates->bytes, estimate->rates->duration);
}

uint64_t session_estimate_window(const SessionEstimate *estimate) {
        const uint64_t rate = rate_per_second(estimate->rates->bytes, estimate->rates->duration);

        return estimate->is_ring && rate > 0 ? rate_per_second(estimate->buffer_memory, rate) : 0;
}

bool session_estimate_is_over(const SessionEstimate *estimate) {
        const EventRates *rates = estimate->rates;
        const uint64_t rate = rate_per_second(rates->events, rates->duration);

        return (estimate->max_event_rate > 0 && rate > estimate->max_event_rate) ||
               (estimate->max_cpu_share > 0 &&
                overhead_share(rate, rates->cost, rates->n_cpus) > estimate->max_cpu_share * PER_PERMILLE);
}

int session_estimate_describe(const SessionEstimate *estimate, char **ret) {
        CLEANUP_JSON struct json_object *object = NULL;
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "buffer_size", estimate->buffer_size },
                { "buffer_memory", estimate->buffer_memory },
                { "disk_rate", session_estimate_disk_rate(estimate) },
                { "window", session_estimate_window(estimate) },
                { "max_event_rate", estimate->max_event_rate },
                { "max_cpu_share", estimate->max_cpu_share },
        };
        int r = event_rates_to_json(estimate->rates, &object);

        if (r >= 0)
                r = json_text_add_string(object, "mode", estimate->is_ring ? "ring" : "stream");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
                r = json_text_add_unsigned(object, numbers[i].key, numbers[i].value);
        if (r >= 0)
                r = json_text_add_boolean(object, "over", session_estimate_is_over(estimate));
        return r < 0 ? r : json_text_format(object, false, ret);
}
