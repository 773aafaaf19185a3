/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EventRates: how often events occurred while they were counted, and what recording them costs. Plain data.
 *
 * Life cycle: event_rates_new() for events with their names; whoever counted them fills in the numbers;
 * event_rates_finish() puts them in order; event_rates_free().
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Of the time of one CPU, and of all: a million is the whole. */
#define OVERHEAD_WHOLE UINT64_C(1000000)

typedef struct EventRate {
        char *event;      /* "system:name" */
        unsigned id;      /* the kernel's number of it */
        uint64_t counted; /* seen */
        uint64_t missed;  /* its part of those that were overwritten before they could be seen, by its share */
} EventRate;

typedef struct EventRates {
        EventRate *rates; /* after event_rates_finish(): the most frequent first, then by name */
        size_t n_rates;
        uint64_t duration; /* usec for which they were counted */
        uint64_t cost;     /* nsec of CPU for each event, see kernel/event-cost.h; 0: not known */
        unsigned n_cpus;   /* that are online */
        uint64_t events;   /* in all, also those without a row (of a tracer, markers), and missed ones */
        uint64_t missed;   /* of these: overwritten before they could be counted */
        uint64_t bytes;    /* in the kernel's buffers, of all */
} EventRates;

/* `names`: as EventRate has them, copied; `ids` of each. -ENOMEM. */
int event_rates_new(char *const *names, const unsigned *ids, size_t n, EventRates **ret);
void event_rates_free(EventRates *rates);
DEFINE_POINTER_CLEANUP(EventRates, event_rates_free);

void event_rates_finish(EventRates *rates);

/* The most frequent one that occurred; NULL when none did. After event_rates_finish(). */
const EventRate *event_rates_hottest(const EventRates *rates);

/* A second, rounded; 0 for a duration of 0. */
uint64_t rate_per_second(uint64_t n, uint64_t duration);
uint64_t event_rate(const EventRates *rates, const EventRate *rate);

/* The part of the CPUs' time that so many events a second cost, in OVERHEAD_WHOLE; more than the whole when the
 * estimate is too high. 0 when the cost is not known. */
uint64_t overhead_share(uint64_t rate, uint64_t cost, unsigned n_cpus);

/* A JSON object: duration, cpus, event_cost, events, missed, rate, bytes_rate, cpu_share (as overhead_share()), and
 * `rows`, an array in order of event, events, missed, rate, cpu_share. -ENOMEM. */
int event_rates_to_json(const EventRates *rates, struct json_object **ret);
/* The same as text. */
int event_rates_describe(const EventRates *rates, char **ret);
