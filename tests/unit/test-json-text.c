/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/json-text.h"

static void test_parse(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_JSON struct json_object *object = NULL;
        uint64_t number;

        assert_succeeds(json_text_parse("  {\"a\": 1}\n\n", "t", &error, &object), &error);
        assert_int_equal(json_text_get_unsigned(json_object_object_get(object, "a"), &number), 0);
        assert_int_equal(number, 1);
}

static void test_bad_syntax(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "", "t:1: the text ends too early" },
                { "{\n\"a\": 1,\n", "t:3: the text ends too early" },
                { "[1]", "t:1: not a JSON object" },
                { "\"text\"", "t:1: not a JSON object" },
                { "{\"a\": 1} x", "t:1: " },
                { "{\n\na: 1}", "t:3: " },
                { "{\"a\": 1,}", "t:1: " },
                { "{\"a\": 01}", "t:1: " },
                { "{\"a\": \"\xff\"}", "t:1: " },
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct json_object *object = NULL;

                assert_fails(json_text_parse(bad[i].text, "t", &error, &object), &error, ERROR_INVALID_ARGUMENT,
                             bad[i].message);
                assert_null(object);
        }
}

static void test_depth(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_JSON struct json_object *object = NULL;
        char deep[100000];

        memset(deep, '[', sizeof(deep));
        memcpy(deep, "{\"a\":", 5);
        deep[sizeof(deep) - 1] = '\0';
        assert_fails(json_text_parse(deep, "t", &error, &object), &error, ERROR_INVALID_ARGUMENT, "t:1: nesting");
}

static void test_key_line(void **state) {
        static const char text[] = "{\n"
                                   "  \"a\": {\"b\": 1,\n"
                                   "    \"c\": [\"c\", \"}\"]},\n"
                                   "  \"x\\\"y\": \"b\",\n"
                                   "  \"b\"\n"
                                   "  : 2,\n"
                                   "  \"\\u0063\": 3,\n"
                                   "  'd': '}'\n"
                                   "}\n";

        assert_int_equal(json_text_key_line(text, "a"), 2);
        assert_int_equal(json_text_key_line(text, "b"), 5);
        assert_int_equal(json_text_key_line(text, "c"), 7);
        assert_int_equal(json_text_key_line(text, "d"), 8);
        assert_int_equal(json_text_key_line(text, "x\"y"), 4);
        assert_int_equal(json_text_key_line(text, "y"), 0);
        assert_int_equal(json_text_key_line("{}", "a"), 0);
}

static void test_last_of_equal_keys_counts(void **state) {
        static const char text[] = "{\"a\": 1,\n\"a\": 2}";
        CLEANUP_JSON struct json_object *object = NULL;
        uint64_t number;

        assert_int_equal(json_text_parse(text, "t", NULL, &object), 0);
        assert_int_equal(json_text_get_unsigned(json_object_object_get(object, "a"), &number), 0);
        assert_int_equal(number, 2);
        assert_int_equal(json_text_key_line(text, "a"), 2);
}

static void test_types(void **state) {
        CLEANUP_JSON struct json_object *object = NULL;
        uint64_t number = 77;
        const char *string = NULL;
        bool boolean;

        assert_int_equal(json_text_parse("{\"n\": 18446744073709551615, \"m\": -1, \"d\": 1.0, \"s\": \"x\","
                                         " \"z\": \"a\\u0000b\", \"t\": true, \"0\": null}",
                                         "t", NULL, &object),
                         0);
#define GET(key) json_object_object_get(object, key)
        assert_int_equal(json_text_get_unsigned(GET("n"), &number), 0);
        assert_int_equal(number, UINT64_MAX);
        assert_int_equal(json_text_get_unsigned(GET("m"), &number), -EINVAL);
        assert_int_equal(json_text_get_unsigned(GET("d"), &number), -EINVAL);
        assert_int_equal(json_text_get_unsigned(GET("s"), &number), -EINVAL);
        assert_int_equal(json_text_get_unsigned(GET("0"), &number), -EINVAL);
        assert_int_equal(json_text_get_string(GET("s"), &string), 0);
        assert_string_equal(string, "x");
        assert_int_equal(json_text_get_string(GET("z"), &string), -EINVAL);
        assert_int_equal(json_text_get_string(GET("n"), &string), -EINVAL);
        assert_int_equal(json_text_get_boolean(GET("t"), &boolean), 0);
        assert_true(boolean);
        assert_int_equal(json_text_get_boolean(GET("n"), &boolean), -EINVAL);
#undef GET
}

static void test_format(void **state) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        CLEANUP_FREE char *text = NULL;

        assert_non_null(object);
        assert_int_equal(json_text_add_string(object, "s", "a/b"), 0);
        assert_int_equal(json_text_add_string(object, "left out", NULL), 0);
        assert_int_equal(json_text_add_unsigned(object, "n", UINT64_MAX), 0);
        assert_int_equal(json_text_add_boolean(object, "b", false), 0);
        assert_int_equal(json_text_add(object, "x", NULL), -ENOMEM);
        assert_int_equal(json_text_format(object, false, &text), 0);
        assert_string_equal(text, "{\"s\":\"a/b\",\"n\":18446744073709551615,\"b\":false}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_bad_syntax),
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_key_line),
                cmocka_unit_test(test_last_of_equal_keys_counts),
                cmocka_unit_test(test_types),
                cmocka_unit_test(test_format),
        };

        return cmocka_run_group_tests_name("json-text", tests, NULL, NULL);
}
