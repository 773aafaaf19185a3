/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/table.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "client/json-print.h"
#include "core/parse.h"
#include "core/strv.h"

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC (1000 * USEC_PER_MSEC)

typedef struct Cell {
        char *text;
        Color color;
} Cell;

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        Cell *cells; /* row by row */
        size_t n_cells;
        struct json_object *rows;
        bool failed;
};

int table_new(const TableColumn *columns, size_t n_columns, Table **ret) {
        CLEANUP(table_freep) Table *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        table->columns = columns;
        table->n_columns = n_columns;
        table->rows = json_object_new_array();
        if (!table->rows)
                return -ENOMEM;
        *ret = STEAL_PTR(table);
        return 0;
}

void table_free(Table *table) {
        if (!table)
                return;
        for (size_t i = 0; i < table->n_cells; i++)
                free(table->cells[i].text);
        free(table->cells);
        (void) json_object_put(table->rows);
        free(table);
}

void table_begin_row(Table *table) {
        if (json_add(table->rows, NULL, json_object_new_object()) < 0)
                table->failed = true;
}

/* Takes `text` over. The key that belongs to the cell; NULL when memory ran out. */
static const char *append_cell(Table *table, char *text, Color color) {
        Cell *cells = table->failed ? NULL : reallocarray(table->cells, table->n_cells + 1, sizeof(*cells));

        if (cells)
                table->cells = cells;
        if (!cells || !text) {
                table->failed = true;
                free(text);
                return NULL;
        }
        table->cells[table->n_cells] = (Cell){ .text = text, .color = color };
        return table->columns[table->n_cells++ % table->n_columns].key;
}

static struct json_object *last_row(const Table *table) {
        return json_object_array_get_idx(table->rows, json_object_array_length(table->rows) - 1);
}

/* Takes `text` and `value` over. */
static void add_cell(Table *table, char *text, Color color, struct json_object *value) {
        const char *key = append_cell(table, text, color);

        if (!key)
                (void) json_object_put(value);
        else if (json_add(last_row(table), key, value) < 0)
                table->failed = true;
}

void table_add_string(Table *table, const char *value) {
        add_cell(table, strdup(*value ? value : "-"), COLOR_NONE, json_object_new_string(value));
}

void table_add_state(Table *table, const char *state) {
        add_cell(table, strdup(state), color_for_state(state), json_object_new_string(state));
}

void table_add_number(Table *table, uint64_t value) {
        char text[sizeof(value) * 3 + 1];

        (void) snprintf(text, sizeof(text), "%" PRIu64, value);
        add_cell(table, strdup(text), COLOR_NONE, json_object_new_uint64(value));
}

void table_add_size(Table *table, uint64_t bytes) {
        char text[32];

        add_cell(table, strdup(format_size(bytes, text, sizeof(text))), COLOR_NONE, json_object_new_uint64(bytes));
}

char *format_share(uint64_t millionths, char *buffer, size_t size) {
        const uint64_t hundredths = (millionths + 50) / 100;

        (void) snprintf(buffer, size, "%" PRIu64 ".%02" PRIu64 "%%", hundredths / 100, hundredths % 100);
        return buffer;
}

void table_add_share(Table *table, uint64_t millionths) {
        char text[32];

        add_cell(table, strdup(format_share(millionths, text, sizeof(text))), COLOR_NONE,
                 json_object_new_uint64(millionths));
}

void table_add_span(Table *table, uint64_t usec) {
        char text[64];

        add_cell(table, strdup(format_rough_span(usec, text, sizeof(text))), COLOR_NONE,
                 json_object_new_uint64(usec));
}

void table_add_nothing(Table *table) {
        const char *key = append_cell(table, strdup("-"), COLOR_NONE);

        if (key && json_object_object_add(last_row(table), key, NULL) < 0)
                table->failed = true;
}

void table_add_ratio(Table *table, uint64_t part, uint64_t whole) {
        char text[32];

        (void) format_ratio(part, whole, text, sizeof(text));
        add_cell(table, strdup(part == whole ? "-" : text), COLOR_NONE,
                 json_object_new_double_s(part > 0 ? (double) whole / (double) part : 1, text));
}

void table_add_time(Table *table, uint64_t realtime) {
        char text[64];

        add_cell(table, strdup(format_time(realtime, text, sizeof(text))), COLOR_NONE,
                 json_object_new_uint64(realtime));
}

void table_add_user(Table *table, uid_t uid) {
        char *text = NULL;

        (void) format_user(uid, &text);
        add_cell(table, text, COLOR_NONE, json_object_new_uint64(uid));
}

/* Columns of the terminal that `text` takes. */
static size_t text_width(const char *text) {
        size_t n = mbstowcs(NULL, text, 0);
        CLEANUP_FREE wchar_t *wide = NULL;
        int width;

        if (n == (size_t) -1)
                return strlen(text);
        wide = calloc(n + 1, sizeof(*wide));
        if (!wide || mbstowcs(wide, text, n + 1) == (size_t) -1)
                return strlen(text);
        width = wcswidth(wide, n);
        return width < 0 ? strlen(text) : (size_t) width;
}

static void print_cell(const Table *table, size_t column, const char *text, bool colors, Color color, size_t width) {
        bool last = column + 1 == table->n_columns;
        size_t used = text_width(text), padding = used < width ? width - used : 0;

        if (table->columns[column].to_the_right)
                printf("%*s", (int) padding, "");
        printf("%s%s%s", color_begin(colors, color), text, color_end(colors, color));
        if (!table->columns[column].to_the_right && !last)
                printf("%*s", (int) padding, "");
        fputs(last ? "\n" : "  ", stdout);
}

static int print_rows(const Table *table, const Globals *globals) {
        CLEANUP_FREE size_t *widths = calloc(table->n_columns, sizeof(*widths));

        if (!widths)
                return -ENOMEM;
        if (globals->legend)
                for (size_t i = 0; i < table->n_columns; i++)
                        widths[i] = text_width(table->columns[i].title);
        for (size_t i = 0; i < table->n_cells; i++) {
                size_t width = text_width(table->cells[i].text), column = i % table->n_columns;

                if (width > widths[column])
                        widths[column] = width;
        }
        if (globals->legend)
                for (size_t i = 0; i < table->n_columns; i++)
                        print_cell(table, i, table->columns[i].title, globals->colors, COLOR_HEADER, widths[i]);
        for (size_t i = 0; i < table->n_cells; i++)
                print_cell(table, i % table->n_columns, table->cells[i].text, globals->colors, table->cells[i].color,
                           widths[i % table->n_columns]);
        return 0;
}

struct json_object *table_rows(const Table *table) {
        return table->rows;
}

int table_print(Table *table, const Globals *globals, const char *noun) {
        size_t n_rows = table->n_cells / table->n_columns;
        int r;

        if (table->failed)
                return -ENOMEM;
        if (globals->json != JSON_OFF) {
                json_print(globals, table->rows);
                return 0;
        }
        if (n_rows > 0) {
                r = print_rows(table, globals);
                if (r < 0)
                        return r;
        }
        if (globals->legend && noun)
                printf("%s%zu %s%s listed.\n", n_rows > 0 ? "\n" : "", n_rows, noun, n_rows == 1 ? "" : "s");
        return 0;
}

char *format_time(uint64_t realtime, char *buffer, size_t size) {
        time_t seconds = (time_t) (realtime / 1000000);
        struct tm tm;

        if (realtime == 0 || !localtime_r(&seconds, &tm) || strftime(buffer, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                (void) snprintf(buffer, size, "-");
        return buffer;
}

char *format_rough_span(uint64_t usec, char *buffer, size_t size) {
        uint64_t unit = usec >= USEC_PER_SEC ? USEC_PER_SEC : USEC_PER_MSEC;

        return format_span(usec - usec % unit, buffer, size);
}

int format_user(uid_t uid, char **ret) {
        struct passwd entry, *found = NULL;
        char space[4096];
        char *text;

        if (getpwuid_r(uid, &entry, space, sizeof(space), &found) == 0 && found)
                text = strdup(found->pw_name);
        else if (asprintf(&text, "%u", uid) < 0)
                text = NULL;
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
