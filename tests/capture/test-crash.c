/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A recorder that is killed, again and again: every segment is valid as it lies, and so is what the store
 * makes of it afterwards.
 */

#include "capture-test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 25U

/* Records with many rotations until it is killed. */
static void record(Instance *instance, const char *tree) {
        TestPump pump = pump_begin_on(instance, tree);
        CLEANUP_FREE char *path = path_of(tree, "output.dat");

        free(pump_add(&pump, 1, 128U << 10, 0, 4));
        pump_add_output(&pump, 2, open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        free(pump_add(&pump, 3, 1U << 20, 50000, 0));
        for (;;)
                (void) pump_rotate(pump.pump, pump_wait(&pump, PUMP_SEGMENT_CLOSED, 0)->sink_id);
}

static long check_segment(const char *directory, const char *name) {
        CLEANUP_FREE char *path = path_of(directory, name);
        long n;

        if (!is_valid(path))
                fail_msg("%s is not valid", path);
        n = count_events(path, 0);
        if (n < 0)
                fail_msg("%s cannot be read", path);
        return n;
}

/* Events in all segments that have their names. */
static long check_captures(const char *store) {
        CLEANUP_CLOSEDIR DIR *captures = opendir(store);
        struct dirent *entry;
        long n = 0;

        assert_non_null(captures);
        while ((entry = readdir(captures))) {
                CLEANUP_FREE char *directory = NULL;
                CLEANUP_CLOSEDIR DIR *files = NULL;
                struct dirent *file;

                if (entry->d_name[0] == '.')
                        continue;
                directory = path_of(store, entry->d_name);
                files = opendir(directory);
                assert_non_null(files);
                while ((file = readdir(files)))
                        if (strncmp(file->d_name, "trace-", 6) == 0 && !strstr(file->d_name, ".tmp"))
                                n += check_segment(directory, file->d_name);
        }
        return n;
}

static void check_repaired(const char *root, long before) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(store_freep) Store *store = NULL;
        CaptureMetadata **captures = NULL;
        size_t n = 0, n_skipped = 0;

        assert_int_equal(store_open(root, &error, &store), 0);
        assert_int_equal(store_load(store, &error, &captures, &n, &n_skipped), 0);
        assert_int_equal(n_skipped, 0);
        for (size_t i = 0; i < n; i++) {
                CLEANUP_FREE char *directory = path_of(root, captures[i]->id);

                assert_int_equal(captures[i]->state, CAPTURE_INTERRUPTED);
                for (size_t j = 0; j < captures[i]->n_segments; j++) {
                        CLEANUP_FREE char *path = NULL;
                        char name[STORE_SEGMENT_NAME_MAX];

                        store_segment_name(captures[i]->segments[j].number, name);
                        path = path_of(directory, name);
                        assert_int_equal(captures[i]->segments[j].bytes, file_size(path));
                }
        }
        /* A close that was interrupted may have hidden some. */
        assert_true(check_captures(root) >= before);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(store_delete_capture(store, captures[i]->id, &error), 0);
                metadata_free(captures[i]);
        }
        free(captures);
}

static void kills_at_random(void **state) {
        char *tree = make_tree();
        CLEANUP_FREE char *root = path_of(tree, "store"), *output = path_of(tree, "output.dat");
        long sum = 0;

        srandom((unsigned) getpid());
        for (unsigned i = 0; i < ROUNDS; i++) {
                Instance *instance = instance_for(false, 4U << 20);
                pid_t load = begin_load(), child = fork();
                long n;

                assert_true(child >= 0);
                if (child == 0) {
                        record(instance, tree);
                        _exit(1);
                }
                (void) usleep(150000 + (useconds_t) random() % 400000);
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(waitpid(child, NULL, 0), child);
                end_load(load);
                assert_int_equal(instance_destroy(instance), 0);

                n = check_captures(root);
                sum += n;
                if (access(output, F_OK) == 0 && file_size(output) > 0) {
                        CLEANUP_CLOSE int fd = open(output, O_RDWR | O_CLOEXEC);
                        int r = segment_repair(fd, NULL);

                        /* Killed before the head was complete. */
                        if (r != -EBADMSG) {
                                assert_int_equal(r, 0);
                                (void) check_segment(tree, "output.dat");
                        }
                }
                check_repaired(root, n);
        }
        assert_true(sum > 0);
        remove_tree(tree);
}

/* Not one instant but several, since copying takes its time: still nothing that a reader must not see. */
static void copies_while_it_is_written(void **state) {
        char *tree = make_tree();
        CLEANUP_FREE char *copy = path_of(tree, "copy.dat");
        TestPump pump = pump_begin(false, 4U << 20, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 4U << 20, 0, 0);
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        unsigned n_copies = 0;
        pid_t load;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        load = begin_load();
        while (n_copies < 60) {
                char command[8192];

                /* cp(1) is no snapshot: while a segment is closed its regions move below the reader. The newest one
                 * is not being closed, so a copy counts when it still is the newest afterwards. */
                (void) snprintf(command, sizeof(command),
                                "exec 2> /dev/null; newest() { ls '%s'/trace-*.dat | tail -n 1; }; "
                                "file=$(newest) && cp \"$file\" '%s' && [ \"$(newest)\" = \"$file\" ]",
                                capture, copy);
                if (system(command) != 0) /* NOLINT(cert-env33-c): none is there yet, or it is not the newest */
                        continue;
                if (!is_valid(copy))
                        fail_msg("copy %u is not valid", n_copies);
                n_copies++;
        }
        end_load(load);
        assert_int_equal(pump_remove_sink(pump.pump, 1, "stopped"), 0);
        report = pump_wait(&pump, PUMP_SINK_CLOSED, 1);
        assert_int_equal(report->r, 0);

        pump_end(&pump);
        remove_tree(tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(kills_at_random),
                cmocka_unit_test(copies_while_it_is_written),
        };

        return kernel_test_run("capture-crash", tests, ELEMENTSOF(tests));
}
