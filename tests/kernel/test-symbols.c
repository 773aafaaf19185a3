/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "kernel-test.h"
#include "kernel/symbols.h"

/* Runs `function` with this file as standard input. */
static void with_input(const char *path, void (*function)(void)) {
        int kept = dup(STDIN_FILENO), fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_true(kept >= 0 && fd >= 0);
        assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
        (void) close(fd);
        function();
        assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
        (void) close(kept);
}

static void check_table(void) {
        CLEANUP_FREE char *text = NULL;
        size_t size = 0;
        bool shown = false;
        char type;

        assert_int_equal(symbols_read(&text, &size), 0);
        assert_int_equal(strlen(text), size);
        assert_non_null(strstr(text, " schedule\n"));
        assert_int_equal(symbols_find("schedule", &type), 0);
        assert_int_equal(type, 'T');
        assert_int_equal(symbols_find("schedul", &type), -ENOENT);
        assert_int_equal(symbols_are_shown(&shown), 0);
        /* One symbol of the kernel's own code tells it for all. */
        assert_int_equal(shown, strstr(text, "0000000000000000 T schedule\n") == NULL);
}

static void opens_the_table(void **state) {
        with_input("/dev/null", check_table);
}

static void passes_by_other_input(void **state) {
        with_input("/proc/version", check_table);
}

/* From its start, however far the descriptor has been read already. */
static void check_table_half_read(void) {
        char some[8192];

        assert_true(read(STDIN_FILENO, some, sizeof(some)) > 0);
        check_table();
        check_table();
}

static void reads_standard_input(void **state) {
        with_input("/proc/kallsyms", check_table_half_read);
}

static void *read_table(void *userdata) {
        size_t size;

        return symbols_read(userdata, &size) < 0 ? (void *) "failed" : NULL;
}

static void check_two_readers(void) {
        CLEANUP_FREE char *first = NULL, *second = NULL;
        void *failed_first, *failed_second;
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, read_table, &first), 0);
        failed_second = read_table(&second);
        assert_int_equal(pthread_join(thread, &failed_first), 0);
        assert_null(failed_first);
        assert_null(failed_second);
        /* The kernel itself has the same symbols at the same places; modules come last and may have come or gone. */
        assert_memory_equal(first, second, 1 << 20);
}

static void two_readers_get_the_same(void **state) {
        with_input("/proc/kallsyms", check_two_readers);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(opens_the_table),
                cmocka_unit_test(passes_by_other_input),
                cmocka_unit_test(reads_standard_input),
                cmocka_unit_test(two_readers_get_the_same),
        };

        return kernel_test_run("symbols", tests, ELEMENTSOF(tests));
}
