/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SqlQuery: an event of the session's own, made of two events that belong together, as libtracefs takes it
 * (tracefs_sql(3)):
 *
 *   [NAME=]SELECT FIELD[, FIELD...] FROM EVENT AS NAME JOIN EVENT AS NAME ON CONDITION [WHERE CONDITION]
 *
 * Only the name and the first word are looked at here; libtracefs reads the rest once the caller has been authorized.
 *
 * Life cycle: sql_query_parse(), sql_query_clear().
 */

#include <stdbool.h>

#include "core/error.h"

/* What queries without a name are called. */
#define SQL_QUERY_NAME "query"
/* The kernel's names have 64 bytes (MAX_EVENT_NAME_LEN), and there is a prefix. */
#define SQL_QUERY_NAME_LENGTH 32U

typedef struct SqlQuery {
        char *name;
        char *text; /* from SELECT on */
} SqlQuery;

/* ERROR_INVALID_ARGUMENT. */
int sql_query_parse(const char *text, Error *error, SqlQuery *ret);
void sql_query_clear(SqlQuery *query);
/* The same without a result, for the table of the spec's keys. */
int sql_query_check(const char *text, Error *error);

/* Is there one of that name among the queries, all of them valid? */
bool sql_queries_have(char *const *queries, const char *name);
/* No two have the same name, and none that of a probe. */
int sql_queries_check(char *const *queries, char *const *probes, Error *error);
