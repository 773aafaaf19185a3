/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/text.h"

static void test_set(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(error_set(&error, ERROR_BUSY, "held by %s", "perf"), -EBUSY);
        assert_int_equal(error.code, ERROR_BUSY);
        assert_string_equal(error_text(&error), "held by perf");
}

static void test_first_failure_wins(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        (void) error_set(&error, ERROR_BUSY, "first");
        assert_int_equal(error_set(&error, ERROR_NO_MEMORY, "second"), -ENOMEM);
        assert_int_equal(error.code, ERROR_BUSY);
        assert_string_equal(error_text(&error), "first");
        assert_int_equal(error_set_errno(&error, -EIO, "third"), -EIO);
        assert_string_equal(error_text(&error), "first");
}

static void test_null_error(void **state) {
        assert_int_equal(error_set(NULL, ERROR_TIMED_OUT, "late"), -ETIMEDOUT);
        assert_int_equal(error_set_errno(NULL, -ENOENT, "gone"), -ENOENT);
        error_prefix(NULL, "nothing");
}

static void test_set_errno(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(error_set_errno(&error, -ENOSPC, "cannot write %s", "a.dat"), -ENOSPC);
        assert_int_equal(error.code, ERROR_NO_SPACE);
        assert_string_equal(error_text(&error), "cannot write a.dat: No space left on device");
}

static void test_set_errno_without_a_code_of_its_own(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(error_set_errno(&error, -EXDEV, "x"), -EXDEV);
        assert_int_equal(error.code, ERROR_FAILED);
}

static void test_set_at(void **state) {
        static const char text[] = "0123456789012345678901234567890123456789012345678901234567890123456789 wrong";
        static const char umlauts[] =
                "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                "\xc3\xbc\xc3\xbc!";
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(error_set_at(&error, text, text + 3, "no %s", "three"), -EINVAL);
        assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
        assert_string_equal(error.message,
                            "no three\n  0123456789012345678901234567890123456789012345678901234567890123"
                            "456789 wrong\n     ^");
        error_clear(&error);
        assert_int_equal(error_set_at(&error, text, text + 71, "it is"), -EINVAL);
        assert_string_equal(error.message, "it is\n  ...12345678901234567890123456789012345678901234567890123456789"
                                           " wrong\n                                                      "
                                           "           ^");
        assert_int_equal(error_set_at(NULL, text, text, "x"), -EINVAL);

        /* It is not cut within a character. */
        error_clear(&error);
        assert_int_equal(error_set_at(&error, umlauts, umlauts + strlen(umlauts), "x"), -EINVAL);
        for (char *line = strtok(error.message, "\n"); line; line = strtok(NULL, "\n"))
                assert_true(text_is_printable(line));
}

/* A client can send megabytes. */
static void test_set_at_in_a_long_text(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[100002];

        (void) memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        assert_int_equal(error_set_at(&error, text, text + 50000, "here"), -EINVAL);
        assert_int_equal(strlen(error.message), strlen("here\n  ...") + 60 + 200 + strlen("...\n  ...^") + 60);

        /* Nor within a character, whether these begin at even places or at odd ones. */
        for (size_t start = 0; start < 2; start++) {
                text[0] = 'x';
                for (size_t i = start; i < sizeof(text) - 1; i++)
                        text[i] = i % 2 == start ? '\xc3' : '\xbc';
                text[sizeof(text) - 2 + start] = 0;
                error_clear(&error);
                assert_int_equal(error_set_at(&error, text, text + start, "here"), -EINVAL);
                for (char *line = strtok(error.message, "\n"); line; line = strtok(NULL, "\n"))
                        assert_true(text_is_printable(line));
        }
}

static void test_move(void **state) {
        CLEANUP(error_clear) Error from = ERROR_INIT, to = ERROR_INIT;

        (void) error_set(&from, ERROR_IO, "from");
        (void) error_set(&to, ERROR_BUSY, "to");
        error_move(&to, &from);
        assert_int_equal(to.code, ERROR_IO);
        assert_string_equal(to.message, "from");
        assert_int_equal(from.code, ERROR_NONE);
        assert_null(from.message);

        error_move(&to, &to);
        assert_string_equal(to.message, "from");
        error_move(NULL, &to);
        assert_int_equal(to.code, ERROR_NONE);
}

static void test_prefix(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        error_prefix(&error, "none");
        assert_null(error.message);
        (void) error_set(&error, ERROR_INVALID_ARGUMENT, "wrong");
        error_prefix(&error, "file:%d", 3);
        assert_string_equal(error.message, "file:3: wrong");
        assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
}

static void test_text_without_message(void **state) {
        Error error = { .code = ERROR_NO_SUCH_SESSION };

        assert_string_equal(error_text(&error), "No such session");
        error.code = (ErrorCode) 9999;
        assert_string_equal(error_text(&error), "Failed");
        assert_non_null(error_text(NULL));
}

static void test_table_is_complete(void **state) {
        for (unsigned code = ERROR_NONE + 1; code < _ERROR_CODE_MAX; code++) {
                Error error = { .code = (ErrorCode) code };
                const char *name = error_code_to_dbus_name(error.code);

                assert_true(strncmp(name, "org.ktraced1.Error.", 19) == 0 ||
                            strncmp(name, "org.freedesktop.DBus.Error.", 27) == 0);
                assert_true(error_code_to_errno(error.code) > 0);
                assert_true(strlen(error_text(&error)) > 0);
                for (unsigned other = ERROR_NONE + 1; other < code; other++)
                        assert_string_not_equal(name, error_code_to_dbus_name((ErrorCode) other));
        }
        assert_int_equal(error_code_to_errno(ERROR_NONE), 0);
}

static void test_names_that_clients_know(void **state) {
        assert_string_equal(error_code_to_dbus_name(ERROR_ACCESS_DENIED), "org.freedesktop.DBus.Error.AccessDenied");
        assert_string_equal(error_code_to_dbus_name(ERROR_INVALID_ARGUMENT),
                            "org.freedesktop.DBus.Error.InvalidArgs");
        assert_string_equal(error_code_to_dbus_name(ERROR_NO_SUCH_EVENT), "org.ktraced1.Error.NoSuchEvent");
        assert_string_equal(error_code_to_dbus_name(ERROR_KERNEL_REFUSED), "org.ktraced1.Error.KernelRefused");
}

static void test_from_errno(void **state) {
        assert_int_equal(error_code_from_errno(0), ERROR_NONE);
        assert_int_equal(error_code_from_errno(ENOMEM), ERROR_NO_MEMORY);
        assert_int_equal(error_code_from_errno(-ENOMEM), ERROR_NO_MEMORY);
        assert_int_equal(error_code_from_errno(EINVAL), ERROR_INVALID_ARGUMENT);
        assert_int_equal(error_code_from_errno(EPERM), ERROR_ACCESS_DENIED);
        assert_int_equal(error_code_from_errno(EACCES), ERROR_ACCESS_DENIED);
        assert_int_equal(error_code_from_errno(ENOENT), ERROR_FAILED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set),
                cmocka_unit_test(test_first_failure_wins),
                cmocka_unit_test(test_null_error),
                cmocka_unit_test(test_set_errno),
                cmocka_unit_test(test_set_errno_without_a_code_of_its_own),
                cmocka_unit_test(test_set_at),
                cmocka_unit_test(test_set_at_in_a_long_text),
                cmocka_unit_test(test_move),
                cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_text_without_message),
                cmocka_unit_test(test_table_is_complete),
                cmocka_unit_test(test_names_that_clients_know),
                cmocka_unit_test(test_from_errno),
        };

        return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
