/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The checks on a client's descriptor, one of each wrong kind. Needs no root.
 */

#include "capture-test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/output-file.h"

static void assert_refused(int fd, const char *part) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_true(output_file_check(fd, &error) < 0);
        assert_int_equal(error.code, ERROR_BAD_DESCRIPTOR);
        if (!strstr(error_text(&error), part))
                fail_msg("\"%s\" does not contain \"%s\"", error_text(&error), part);
}

static void a_regular_file_for_reading_and_writing_will_do(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_CLOSE int memory = memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        CLEANUP_CLOSE int file = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        assert_int_equal(output_file_check(memory, &error), 0);
        assert_int_equal(output_file_check(file, &error), 0);
        assert_int_equal(error.code, ERROR_NONE);
}

static void other_kinds_are_refused(void **state) {
        CLEANUP_CLOSE int directory = open("/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CLEANUP_CLOSE int device = open("/dev/null", O_RDWR | O_CLOEXEC);
        int sockets[2], pipes[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_refused(-1, "not an open descriptor");
        assert_refused(directory, "both reading and writing");
        assert_refused(device, "not a regular file");
        assert_refused(sockets[0], "not a regular file");
        assert_refused(pipes[0], "both reading and writing");
        for (size_t i = 0; i < 2; i++) {
                (void) close(sockets[i]);
                (void) close(pipes[i]);
        }
}

static void other_modes_are_refused(void **state) {
        char *tree = make_tree();
        CLEANUP_FREE char *path = path_of(tree, "file");
        const struct {
                int flags;
                const char *part;
        } wrong[] = {
                { O_WRONLY | O_CREAT, "both reading and writing" },
                { O_RDONLY, "both reading and writing" },
                { O_RDWR | O_APPEND, "O_APPEND" },
                { O_PATH, "O_PATH" },
        };

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                CLEANUP_CLOSE int fd = open(path, wrong[i].flags | O_CLOEXEC, 0600);

                assert_true(fd >= 0);
                assert_refused(fd, wrong[i].part);
        }
        remove_tree(tree);
}

static void sealed_memory_is_refused(void **state) {
        const unsigned seals[] = { F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SHRINK };

        for (size_t i = 0; i < ELEMENTSOF(seals); i++) {
                CLEANUP_CLOSE int fd = memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING);

                assert_true(fd >= 0);
                assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
                assert_refused(fd, "sealed");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_regular_file_for_reading_and_writing_will_do),
                cmocka_unit_test(other_kinds_are_refused),
                cmocka_unit_test(other_modes_are_refused),
                cmocka_unit_test(sealed_memory_is_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("capture-output-file", tests, NULL, NULL);
}
