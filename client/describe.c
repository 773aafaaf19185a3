/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/colors.h"
#include "client/escape.h"
#include "client/json-print.h"
#include "client/table.h"
#include "core/json-text.h"
#include "core/parse.h"

#define NESTED_INDENT 8

typedef enum Unit {
        UNIT_NONE,
        UNIT_SIZE, /* bytes */
        UNIT_SPAN, /* usec */
        UNIT_ROUGH_SPAN,
        UNIT_TIME, /* usec since the epoch */
        UNIT_USER,
        UNIT_STATE,
        UNIT_MILLIONTHS,
        UNIT_PERMILLE,
} Unit;

static const struct {
        const char *key;
        Unit unit;
} units[] = {
        { "bytes", UNIT_SIZE },
        { "buffer_size", UNIT_SIZE },
        { "segment_size", UNIT_SIZE },
        { "duration", UNIT_SPAN },
        { "segment_age", UNIT_SPAN },
        { "created", UNIT_TIME },
        { "started", UNIT_TIME },
        { "stopped", UNIT_TIME },
        { "start_realtime", UNIT_TIME },
        { "end_realtime", UNIT_TIME },
        { "owner", UNIT_USER },
        { "state", UNIT_STATE },
        { "ring_size", UNIT_SIZE },
        { "capacity", UNIT_SIZE },
        { "most", UNIT_SIZE },
        { "fill", UNIT_SIZE },
        { "held", UNIT_ROUGH_SPAN },
        { "window", UNIT_SPAN },
        { "last", UNIT_TIME },
        { "next", UNIT_TIME },
        { "raw_bytes", UNIT_SIZE },
        { "compress_usec", UNIT_SPAN },
        { "gap_usec", UNIT_SPAN },
        { "grace", UNIT_SPAN },
        { "overhead_grace", UNIT_SPAN },
        { "cpu_share", UNIT_MILLIONTHS },
        { "max_cpu_share", UNIT_PERMILLE },
};

static Unit unit_of(const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strcmp(units[i].key, key) == 0)
                        return units[i].unit;
        return UNIT_NONE;
}

int describe_parse(const char *text, Error *error, struct json_object **ret) {
        return json_text_parse(text, "answer of ktraced", error, ret);
}

static void print_user(uint64_t uid) {
        CLEANUP_FREE char *name = NULL;

        if (format_user((uid_t) uid, &name) >= 0)
                fputs(name, stdout);
}

static void print_scalar(const Globals *globals, Unit unit, struct json_object *value) {
        const char *text = json_object_get_string(value);
        uint64_t number = json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : 0;
        Color color = unit == UNIT_STATE ? color_for_state(text) : COLOR_NONE;
        char buffer[64];

        if (!json_object_is_type(value, json_type_int) || unit == UNIT_NONE) {
                fputs(color_begin(globals->colors, color), stdout);
                escape_print(stdout, text, strlen(text));
                fputs(color_end(globals->colors, color), stdout);
        } else if (unit == UNIT_SIZE)
                fputs(format_size(number, buffer, sizeof(buffer)), stdout);
        else if (unit == UNIT_SPAN)
                fputs(format_span(number, buffer, sizeof(buffer)), stdout);
        else if (unit == UNIT_ROUGH_SPAN)
                fputs(format_rough_span(number, buffer, sizeof(buffer)), stdout);
        else if (unit == UNIT_TIME)
                fputs(format_time(number, buffer, sizeof(buffer)), stdout);
        else if (unit == UNIT_MILLIONTHS)
                fputs(format_share(number, buffer, sizeof(buffer)), stdout);
        else if (unit == UNIT_PERMILLE)
                fputs(format_share(number * 1000, buffer, sizeof(buffer)), stdout);
        else
                print_user(number);
}

/* One object on one line: "number 1, bytes 4.0M". */
static void print_short(const Globals *globals, struct json_object *object) {
        const char *separator = "";

        json_object_object_foreach(object, key, value) {
                if (!value)
                        continue;
                printf("%s%s ", separator, key);
                print_scalar(globals, unit_of(key), value);
                separator = ", ";
        }
}

static void print_array(const Globals *globals, struct json_object *array, int indent) {
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                struct json_object *item = json_object_array_get_idx(array, i);

                if (json_object_is_type(item, json_type_object)) {
                        if (i > 0)
                                printf("\n%*s", indent, "");
                        print_short(globals, item);
                        continue;
                }
                fputs(i > 0 ? ", " : "", stdout);
                print_scalar(globals, UNIT_NONE, item);
        }
}

static bool is_empty(struct json_object *value) {
        return !value || (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0) ||
               (json_object_is_type(value, json_type_object) && json_object_object_length(value) == 0) ||
               (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0);
}

static void print_label(const char *key, int width, bool as_words) {
        printf("%*s", width - (int) strlen(key), "");
        for (size_t i = 0; key[i]; i++)
                putchar(!as_words ? key[i] : i == 0 ? toupper((unsigned char) key[i]) : key[i] == '_' ? ' ' : key[i]);
        putchar(':');
}

static int label_width(struct json_object *object) {
        size_t width = 0;

        json_object_object_foreach(object, key, value) if (!is_empty(value) && strlen(key) > width) width =
                strlen(key);
        return (int) width;
}

static void print_members(const Globals *globals, struct json_object *object, int indent, bool as_words) {
        int width = label_width(object) + indent;

        json_object_object_foreach(object, key, value) {
                if (is_empty(value))
                        continue;
                print_label(key, width, as_words);
                putchar(json_object_is_type(value, json_type_object) ? '\n' : ' ');
                if (json_object_is_type(value, json_type_object)) {
                        /* The keys of a map, such as filters, are the user's own words. */
                        print_members(globals, value, indent + NESTED_INDENT, strcmp(key, "filters") != 0);
                        continue;
                }
                if (json_object_is_type(value, json_type_array))
                        print_array(globals, value, width + (int) strlen(": "));
                else
                        print_scalar(globals, unit_of(key), value);
                putchar('\n');
        }
}

void describe_print(const Globals *globals, struct json_object *object) {
        if (globals->json != JSON_OFF)
                json_print(globals, object);
        else
                print_members(globals, object, 0, true);
}
