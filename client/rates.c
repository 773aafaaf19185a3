/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/rates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-manager.h"
#include "client/colors.h"
#include "client/describe.h"
#include "client/json-print.h"
#include "client/pager.h"
#include "client/table.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"

#define LABEL_WIDTH 10
/* Of an estimate: the most frequent ones. */
#define ROWS_SHOWN 10U

static uint64_t number_at(struct json_object *object, const char *key) {
        struct json_object *value;
        uint64_t number;

        return json_object_object_get_ex(object, key, &value) && json_text_get_unsigned(value, &number) >= 0 ? number
                                                                                                             : 0;
}

static const char *string_at(struct json_object *object, const char *key) {
        struct json_object *value;

        return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "";
}

static struct json_object *rows_of(struct json_object *rates) {
        struct json_object *rows = NULL;

        return json_object_object_get_ex(rates, "rows", &rows) && json_object_is_type(rows, json_type_array) ? rows
                                                                                                             : NULL;
}

/* Those that occurred, at most `max`. Returns how many did not. */
static size_t add_rows(Table *table, struct json_object *rates, size_t max) {
        struct json_object *rows = rows_of(rates);
        size_t n_rest = 0;

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                if (number_at(row, "events") == 0) {
                        n_rest++;
                        continue;
                }
                if (i >= max)
                        continue;
                table_begin_row(table);
                table_add_string(table, string_at(row, "event"));
                table_add_number(table, number_at(row, "rate"));
                table_add_share(table, number_at(row, "cpu_share"));
        }
        return n_rest;
}

static void print_legend(struct json_object *rates, size_t n_rest) {
        const uint64_t missed = number_at(rates, "missed"), events = number_at(rates, "events");
        char share[32], bytes[16];

        printf("\nIn all %" PRIu64 " events and %s a second; recording costs some %s of %" PRIu64 " CPUs (%" PRIu64
               " ns an event).\n",
               number_at(rates, "rate"), format_size(number_at(rates, "bytes_rate"), bytes, sizeof(bytes)),
               format_share(number_at(rates, "cpu_share"), share, sizeof(share)), number_at(rates, "cpus"),
               number_at(rates, "event_cost"));
        if (n_rest > 0)
                printf("%zu other%s did not occur.\n", n_rest, n_rest == 1 ? "" : "s");
        if (missed > 0 && events > 0)
                printf("%" PRIu64 "%% of them came faster than they could be looked at, and were divided among the "
                       "events by their shares.\n",
                       missed * 100 / events);
}

static const TableColumn columns[] = {
        { .key = "event", .title = "EVENT" },
        { .key = "rate", .title = "RATE", .to_the_right = true },
        { .key = "cpu_share", .title = "CPU", .to_the_right = true },
};

static int print_rates(const Globals *globals, struct json_object *rates) {
        CLEANUP(table_freep) Table *table = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        size_t n_rest;
        int r;

        pager_open(&pager, globals);
        if (globals->json != JSON_OFF) {
                json_print(globals, rates);
                return 0;
        }
        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;
        n_rest = add_rows(table, rates, SIZE_MAX);
        r = table_print(table, globals, NULL);
        if (r >= 0 && globals->legend)
                print_legend(rates, n_rest);
        return r;
}

int rates_list(const Globals *globals, char *const *patterns, uint64_t duration) {
        static char *const all[] = { (char *) "*:*", NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_JSON struct json_object *rates = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_measure_events(client, patterns[0] ? patterns : all, duration, &error, &text);
        if (r >= 0)
                r = describe_parse(text, &error, &rates);
        if (r < 0)
                return verb_failed(&error, "measure the rate of events");
        r = print_rates(globals, rates);
        return r < 0 ? verb_failed_errno(r, "print the rates") : EXIT_SUCCESS;
}

static void print_disk(struct json_object *estimate) {
        const uint64_t rate = number_at(estimate, "disk_rate"), window = number_at(estimate, "window");
        char second[16], hour[16], reach[64];

        if (strcmp(string_at(estimate, "mode"), "ring") != 0)
                printf("%*s %s a second, %s an hour, before compression\n", LABEL_WIDTH,
                       "Disk:", format_size(rate, second, sizeof(second)),
                       format_size(rate * 3600, hour, sizeof(hour)));
        else if (window > 0)
                printf("%*s nothing until a snapshot; the ring would reach back %s\n", LABEL_WIDTH,
                       "Disk:", format_rough_span(window, reach, sizeof(reach)));
        else
                printf("%*s nothing until a snapshot\n", LABEL_WIDTH, "Disk:");
}

static void print_budget(const Globals *globals, struct json_object *estimate) {
        const uint64_t rate = number_at(estimate, "max_event_rate"), share = number_at(estimate, "max_cpu_share");
        struct json_object *value;
        bool over = json_object_object_get_ex(estimate, "over", &value) && json_object_get_boolean(value);
        char text[32];

        if (rate == 0 && share == 0) {
                printf("%*s none\n", LABEL_WIDTH, "Budget:");
                return;
        }
        printf("%*s %s%s%s", LABEL_WIDTH, "Budget:", color_begin(globals->colors, over ? COLOR_BAD : COLOR_GOOD),
               over ? "exceeded" : "kept", color_end(globals->colors, over ? COLOR_BAD : COLOR_GOOD));
        if (rate > 0)
                printf(", %" PRIu64 " events a second", rate);
        if (share > 0)
                printf(", %s of the CPUs' time", format_share(share * 1000, text, sizeof(text)));
        putchar('\n');
}

static void print_costs(const Globals *globals, struct json_object *estimate) {
        char share[32], memory[16], size[16];

        printf("%*s %" PRIu64 " a second\n", LABEL_WIDTH, "Events:", number_at(estimate, "rate"));
        printf("%*s some %s of %" PRIu64 " CPUs (%" PRIu64 " ns an event)\n", LABEL_WIDTH,
               "CPU:", format_share(number_at(estimate, "cpu_share"), share, sizeof(share)),
               number_at(estimate, "cpus"), number_at(estimate, "event_cost"));
        printf("%*s %s (%s for each CPU)\n", LABEL_WIDTH,
               "Memory:", format_size(number_at(estimate, "buffer_memory"), memory, sizeof(memory)),
               format_size(number_at(estimate, "buffer_size"), size, sizeof(size)));
        print_disk(estimate);
        print_budget(globals, estimate);
}

static int print_estimate(const Globals *globals, struct json_object *estimate) {
        CLEANUP(table_freep) Table *table = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        int r;

        pager_open(&pager, globals);
        if (globals->json != JSON_OFF) {
                json_print(globals, estimate);
                return 0;
        }
        print_costs(globals, estimate);
        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;
        (void) add_rows(table, estimate, ROWS_SHOWN);
        if (json_object_array_length(table_rows(table)) == 0)
                return 0;
        putchar('\n');
        return table_print(table, globals, NULL);
}

int rates_estimate(const Globals *globals, const SpecArgs *spec) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_JSON struct json_object *estimate = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_estimate_session(client, spec, &error, &text);
        if (r >= 0)
                r = describe_parse(text, &error, &estimate);
        if (r < 0)
                return verb_failed(&error, "estimate what the session costs");
        r = print_estimate(globals, estimate);
        return r < 0 ? verb_failed_errno(r, "print the estimate") : EXIT_SUCCESS;
}
