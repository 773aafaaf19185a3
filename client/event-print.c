/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/event-print.h"

#include <stdint.h>
#include <stdio.h>

#include "client/json-print.h"
#include "client/table.h"
#include "ktraced/cleanup.h"

static const char *text_of(struct json_object *object, const char *key) {
        struct json_object *value;

        return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "";
}

static uint64_t number_of(struct json_object *object, const char *key) {
        struct json_object *value;

        return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

int event_print(const Globals *globals, struct json_object *event) {
        static const TableColumn columns[] = {
                { .key = "name", .title = "FIELD" },
                { .key = "type", .title = "TYPE" },
                { .key = "offset", .title = "OFFSET", .to_the_right = true },
                { .key = "size", .title = "SIZE", .to_the_right = true },
        };
        CLEANUP(table_freep) Table *table = NULL;
        struct json_object *fields;
        const char *system;
        int r;

        if (globals->json != JSON_OFF) {
                json_print(globals, event);
                return 0;
        }
        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;
        if (json_object_object_get_ex(event, "fields", &fields))
                for (size_t i = 0; i < json_object_array_length(fields); i++) {
                        struct json_object *field = json_object_array_get_idx(fields, i);

                        table_begin_row(table);
                        table_add_string(table, text_of(field, "name"));
                        table_add_string(table, text_of(field, "type"));
                        table_add_number(table, number_of(field, "offset"));
                        table_add_number(table, number_of(field, "size"));
                }
        system = text_of(event, "system");
        printf("%s%s%s\n\n", system, *system ? ":" : "", text_of(event, "name"));
        r = table_print(table, globals, NULL);
        if (r >= 0)
                printf("\nPrinted as: %s\n", text_of(event, "print_format"));
        return r;
}
