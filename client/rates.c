/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/rates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/bus-manager.h"
#include "client/describe.h"
#include "client/json-print.h"
#include "client/pager.h"
#include "client/table.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"

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

/* Those that occurred. Returns how many did not. */
static size_t add_rows(Table *table, struct json_object *rates) {
        struct json_object *rows = rows_of(rates);
        size_t n_rest = 0;

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                if (number_at(row, "events") == 0) {
                        n_rest++;
                        continue;
                }
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

static int print_rates(const Globals *globals, struct json_object *rates) {
        static const TableColumn columns[] = {
                { .key = "event", .title = "EVENT" },
                { .key = "rate", .title = "RATE", .to_the_right = true },
                { .key = "cpu_share", .title = "CPU", .to_the_right = true },
        };
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
        n_rest = add_rows(table, rates);
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
