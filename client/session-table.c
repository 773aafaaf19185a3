/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/session-table.h"

#include <string.h>

#include "client/bus-session.h"
#include "ktraced/cleanup.h"

/* They stand only where a session has watches. */
#define N_WATCH_COLUMNS 2U

/* What others' sessions hold is theirs: it is left out. */
static void read_row(BusClient *client, SessionRow *row) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (strcmp(row->state, "active") == 0)
                (void) bus_session_read_row(client, row, &error);
}

static void add_span(Table *table, uint64_t usec) {
        if (usec > 0)
                table_add_span(table, usec);
        else
                table_add_nothing(table);
}

static void add_ring(Table *table, const SessionRow *row) {
        if (!row->has_ring) {
                for (size_t i = 0; i < 4; i++)
                        table_add_nothing(table);
                return;
        }
        table_add_size(table, row->ring.fill);
        table_add_size(table, row->ring.capacity);
        add_span(table, row->ring.held);
        add_span(table, row->ring.window);
}

static void add_watches(Table *table, const SessionRow *row) {
        table_add_time(table, row->last_watch);
        table_add_time(table, row->next_watch);
}

int session_table_new(BusClient *client, SessionRows *rows, Table **ret) {
        static const TableColumn columns[] = {
                { .key = "id", .title = "ID" },
                { .key = "name", .title = "NAME" },
                { .key = "owner", .title = "OWNER" },
                { .key = "state", .title = "STATE" },
                { .key = "mode", .title = "MODE" },
                { .key = "fill", .title = "FILL", .to_the_right = true },
                { .key = "capacity", .title = "RING", .to_the_right = true },
                { .key = "held", .title = "HOLDS", .to_the_right = true },
                { .key = "window", .title = "WINDOW", .to_the_right = true },
                { .key = "last_watch", .title = "LAST" },
                { .key = "next_watch", .title = "NEXT" },
        };
        size_t n_columns = ELEMENTSOF(columns) - N_WATCH_COLUMNS;
        Table *table;
        int r;

        for (size_t i = 0; i < rows->n_rows; i++) {
                read_row(client, &rows->rows[i]);
                if (rows->rows[i].has_watches)
                        n_columns = ELEMENTSOF(columns);
        }
        r = table_new(columns, n_columns, &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < rows->n_rows; i++) {
                const SessionRow *row = &rows->rows[i];

                table_begin_row(table);
                table_add_string(table, row->id);
                table_add_string(table, row->name);
                table_add_user(table, row->owner);
                table_add_state(table, row->state);
                table_add_string(table, row->mode);
                add_ring(table, row);
                if (n_columns == ELEMENTSOF(columns))
                        add_watches(table, row);
        }
        *ret = table;
        return 0;
}
