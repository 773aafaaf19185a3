/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/sql-query.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/probe.h"
#include "core/spec.h"
#include "core/strv.h"
#include "core/text.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define SELECT "SELECT "

void sql_query_clear(SqlQuery *query) {
        free(query->name);
        free(query->text);
        *query = (SqlQuery){ 0 };
}

int sql_query_parse(const char *text, Error *error, SqlQuery *ret) {
        CLEANUP(sql_query_clear) SqlQuery query = { 0 };
        size_t name = strspn(text, NAME_CHARACTERS);
        const char *at = text;
        int r = spec_check_text(text, error);

        if (r < 0)
                return r;
        if (text[name] == '=') {
                if (name == 0 || name > SQL_QUERY_NAME_LENGTH || isdigit((unsigned char) text[0]))
                        return error_set_at(error, text, text, "A name has at most 32 letters, digits and '_'");
                query.name = strndup(text, name);
                at += name + 1;
        } else
                query.name = strdup(SQL_QUERY_NAME);
        at += strspn(at, " ");
        if (strncasecmp(at, SELECT, strlen(SELECT)) != 0)
                return error_set_at(error, text, at, "A query begins with SELECT, or NAME=SELECT");
        query.text = strdup(at);
        if (!query.name || !query.text)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        *ret = query;
        query = (SqlQuery){ 0 };
        return 0;
}

int sql_query_check(const char *text, Error *error) {
        CLEANUP(sql_query_clear) SqlQuery query = { 0 };

        return sql_query_parse(text, error, &query);
}

bool sql_queries_have(char *const *queries, const char *name) {
        for (; queries && *queries; queries++) {
                CLEANUP(sql_query_clear) SqlQuery query = { 0 };

                if (sql_query_parse(*queries, NULL, &query) >= 0 && query.name && strcmp(query.name, name) == 0)
                        return true;
        }
        return false;
}

int sql_queries_check(char *const *queries, char *const *probes, Error *error) {
        CLEANUP(strv_freep) char **names = NULL;

        for (; queries && *queries; queries++) {
                CLEANUP(sql_query_clear) SqlQuery query = { 0 };
                int r = sql_query_parse(*queries, error, &query);

                if (r < 0)
                        return r;
                if (strv_contains(names, query.name) || probes_have(probes, query.name))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "sql: two events are called \"%s\"; put a NAME= before one", query.name);
                if (strv_append(&names, query.name) < 0)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        }
        return 0;
}
