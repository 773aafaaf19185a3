/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/session-table.h"

#include "ktraced/cleanup.h"

int session_table_new(const SessionRows *rows, Table **ret) {
        static const TableColumn columns[] = {
                { .key = "id", .title = "ID" },       { .key = "name", .title = "NAME" },
                { .key = "owner", .title = "OWNER" }, { .key = "state", .title = "STATE" },
                { .key = "mode", .title = "MODE" },
        };
        Table *table;
        int r;

        r = table_new(columns, ELEMENTSOF(columns), &table);
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
        }
        *ret = table;
        return 0;
}
