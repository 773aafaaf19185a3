/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/spec.h"
#include "core/sql-query.h"

static void check_query(const char *text, const char *name, const char *query_text) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(sql_query_clear) SqlQuery query = { 0 };

        assert_succeeds(sql_query_parse(text, &error, &query), &error);
        assert_string_equal(query.name, name);
        assert_string_equal(query.text, query_text);
}

static void test_queries(void **state) {
        check_query("SELECT a FROM b", "query", "SELECT a FROM b");
        check_query("lat=select a = b", "lat", "select a = b");
        check_query("lat_2= SELECT x", "lat_2", "SELECT x");
}

static void test_refusals(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "", "begins with SELECT" },
                { "a = SELECT b", "begins with SELECT" },
                { "lat=UPDATE x", "\n      ^" },
                { "=SELECT x", "A name has" },
                { "2x=SELECT x", "A name has" },
                { "abcdefghijklmnopqrstuvwxyz0123456789=SELECT x", "A name has" },
                { "SELECT \n", "control character" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;

                assert_int_equal(sql_query_check(bad[i].text, &error), -EINVAL);
                if (!strstr(error.message, bad[i].message))
                        fail_msg("\"%s\" for \"%s\"", error.message, bad[i].text);
        }
}

static void test_names(void **state) {
        char first[] = "SELECT a", second[] = "lat=SELECT b", third[] = "SELECT c", probe[] = "lat=kprobe:f";
        char *queries[] = { first, second, NULL }, *twice[] = { first, third, NULL }, *probes[] = { probe, NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_true(sql_queries_have(queries, "query"));
        assert_true(sql_queries_have(queries, "lat"));
        assert_false(sql_queries_have(queries, "other"));
        assert_int_equal(sql_queries_check(queries, NULL, NULL), 0);
        assert_int_equal(sql_queries_check(twice, NULL, &error), -EINVAL);
        assert_non_null(strstr(error.message, "\"query\""));
        assert_int_equal(sql_queries_check(queries, probes, NULL), -EINVAL);
}

static void test_long_texts(void **state) {
        char text[SPEC_TEXT_LENGTH + 2];

        memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(sql_query_check(text, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_queries),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_long_texts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
