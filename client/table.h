/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Table: rows for people, aligned under a header, or the same rows for programs, a JSON array of objects.
 *
 * Life cycle: table_new(); for each row, table_begin_row() and one table_add_*() for each column; table_print();
 * table_free(). Running out of memory is remembered and reported by table_print().
 */

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/colors.h"
#include "client/options.h"
#include "ktraced/cleanup.h"

typedef struct TableColumn {
        const char *key;   /* in JSON */
        const char *title; /* in the header */
        bool to_the_right; /* numbers */
} TableColumn;

typedef struct Table Table;

/* `columns` is borrowed until table_free(). */
int table_new(const TableColumn *columns, size_t n_columns, Table **ret);
void table_free(Table *table);
DEFINE_POINTER_CLEANUP(Table, table_free);

void table_begin_row(Table *table);
void table_add_string(Table *table, const char *value);
void table_add_state(Table *table, const char *state); /* coloured */
void table_add_number(Table *table, uint64_t value);
void table_add_size(Table *table, uint64_t bytes);
void table_add_share(Table *table, uint64_t millionths);           /* "1.23%" for people, the number in JSON */
void table_add_span(Table *table, uint64_t usec);                  /* rounded for people, see format_rough_span() */
void table_add_nothing(Table *table);                              /* null in JSON */
void table_add_ratio(Table *table, uint64_t part, uint64_t whole); /* how many times the part is in the whole */
void table_add_time(Table *table, uint64_t realtime);              /* usec; 0: none */
void table_add_user(Table *table, uid_t uid);                      /* a name for people, the number in JSON */

/* What --json prints, borrowed. */
struct json_object *table_rows(const Table *table);

/* `noun` is what a row is, in the singular, for "3 sessions listed."; NULL: no such line. */
int table_print(Table *table, const Globals *globals, const char *noun);

/* "2026-11-24 06:03:26", local time; "-" for 0. Returns `buffer`. */
char *format_time(uint64_t realtime, char *buffer, size_t size);

/* "1.23%" of so many millionths. Returns `buffer`. */
char *format_share(uint64_t millionths, char *buffer, size_t size);

/* A span of time without what is below a second, or from a second down, below a millisecond. Returns `buffer`. */
char *format_rough_span(uint64_t usec, char *buffer, size_t size);

/* The name of a user, or the number. The caller frees. */
int format_user(uid_t uid, char **ret);
