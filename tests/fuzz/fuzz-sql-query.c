/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/sql-query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(sql_query_clear) SqlQuery query = { 0 };
        char *list[] = { text, text, NULL };
        int r = sql_query_parse(text, &error, &query);

        fuzz_check_error(&error, r, 3);
        if (r < 0)
                return 0;
        FUZZ_CHECK(*query.name != '\0' && strlen(query.name) <= SQL_QUERY_NAME_LENGTH);
        FUZZ_CHECK(sql_queries_have(list, query.name));
        FUZZ_CHECK(sql_queries_check(list, NULL, NULL) < 0);
        return 0;
}
