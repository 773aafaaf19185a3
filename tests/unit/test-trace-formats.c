/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/trace-formats.h"

#define HEADER(commit_size, data_size)                                            \
        "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"                \
        "\tfield: local_t commit;\toffset:8;\tsize:" commit_size ";\tsigned:1;\n" \
        "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"                \
        "\tfield: char data;\toffset:16;\tsize:" data_size ";\tsigned:0;\n"

static void test_page_size(void **state) {
        uint32_t size = 0;

        assert_int_equal(trace_formats_parse_page_size(HEADER("8", "4080"), &size), 0);
        assert_int_equal(size, 4096);
        assert_int_equal(trace_formats_parse_page_size(HEADER("4", "4084"), &size), 0);
        assert_int_equal(size, 4096);
        assert_int_equal(trace_formats_parse_page_size(HEADER("8", "65520"), &size), 0);
        assert_int_equal(size, 65536);
}

static void test_bad_page_size(void **state) {
        static const char *const bad[] = {
                "",
                "commit",
                "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n",
                "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n",
                HEADER("x", "4080"),
                HEADER("8", ""),
                HEADER("8", "0"),
                HEADER("8", "99999999999"),
        };
        uint32_t size = 77;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(trace_formats_parse_page_size(bad[i], &size), -EINVAL);
        assert_int_equal(size, 77);
}

/* The leak checker of the sanitizer build tells whether all of it is freed, and once. */
static void test_life(void **state) {
        TraceFormats *formats = NULL;

        assert_int_equal(trace_formats_new(&formats), 0);
        assert_null(formats->ftrace);
        assert_int_equal(formats->n_systems, 0);
        formats->ftrace = calloc(2, sizeof(TraceText));
        formats->n_ftrace = 2;
        formats->ftrace[0].data = strdup("name: function\n");
        formats->systems = calloc(1, sizeof(TraceSystemFormats));
        formats->n_systems = 1;
        formats->systems[0].system = strdup("sched");
        formats->kallsyms.data = strdup("");

        trace_formats_free(formats);
        trace_formats_free(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_page_size),
                cmocka_unit_test(test_bad_page_size),
                cmocka_unit_test(test_life),
        };

        return cmocka_run_group_tests_name("trace-formats", tests, NULL, NULL);
}
