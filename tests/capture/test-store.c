/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The store: names, locks, metadata, deletion, and what is made of leftovers. Needs no root.
 */

#include "capture-test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Loaded {
        CaptureMetadata **captures;
        size_t n, n_skipped;
} Loaded;

static Store *open_store(const char *tree) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *root = path_of(tree, "a/b/captures");
        Store *store = NULL;

        if (store_open(root, &error, &store) < 0)
                fail_msg("%s", error_text(&error));
        return store;
}

static Loaded load(Store *store) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Loaded loaded = { 0 };

        if (store_load(store, &error, &loaded.captures, &loaded.n, &loaded.n_skipped) < 0)
                fail_msg("%s", error_text(&error));
        return loaded;
}

static void unload(Loaded *loaded) {
        for (size_t i = 0; i < loaded->n; i++)
                metadata_free(loaded->captures[i]);
        free(loaded->captures);
}

static char *create(Store *store, int *ret_fd) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char *id = NULL;

        if (store_create_capture(store, &error, &id, ret_fd) < 0)
                fail_msg("%s", error_text(&error));
        return id;
}

static CaptureMetadata *write_metadata(Store *store, const char *id, uint64_t start, CaptureState state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CaptureMetadata *metadata = test_metadata(id);

        metadata->start_realtime = start;
        metadata->state = state;
        if (store_write_metadata(store, metadata, &error) < 0)
                fail_msg("%s", error_text(&error));
        return metadata;
}

static void put_file(int dir_fd, const char *name, const char *text) {
        CLEANUP_CLOSE int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
}

static void captures_have_private_directories(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP_FREE char *root = path_of(tree, "a/b/captures"), *a = NULL, *b = NULL, *path = NULL;
        CLEANUP_CLOSE int fd_a = -1, fd_b = -1;
        struct stat st;

        a = create(store, &fd_a);
        b = create(store, &fd_b);
        assert_string_not_equal(a, b);
        assert_int_equal(strlen(a), strlen("20261124T054737-3f2a9c1e"));
        assert_int_equal(stat(root, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        path = path_of(root, a);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        remove_tree(tree);
}

static void metadata_come_back_oldest_first(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        char *ids[3];

        for (size_t i = 0; i < 3; i++) {
                CLEANUP_CLOSE int fd = -1;

                ids[i] = create(store, &fd);
                metadata_free(write_metadata(store, ids[i], 100 - i, CAPTURE_COMPLETE));
        }
        {
                CLEANUP(unload) Loaded loaded = load(store);

                assert_int_equal(loaded.n, 3);
                assert_int_equal(loaded.n_skipped, 0);
                for (size_t i = 0; i < 3; i++) {
                        assert_string_equal(loaded.captures[i]->id, ids[2 - i]);
                        assert_int_equal(loaded.captures[i]->state, CAPTURE_COMPLETE);
                }
        }
        for (size_t i = 0; i < 3; i++)
                free(ids[i]);
        remove_tree(tree);
}

static void what_is_being_written_is_left_alone(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *id = NULL;
        CLEANUP_CLOSE int fd = -1;

        id = create(store, &fd);
        {
                /* Before it has metadata. */
                CLEANUP(unload) Loaded loaded = load(store);

                assert_int_equal(loaded.n, 0);
                assert_int_equal(loaded.n_skipped, 0);
        }
        metadata_free(write_metadata(store, id, 1, CAPTURE_ACTIVE));
        put_file(fd, "trace-000001.dat.tmp", "");
        {
                CLEANUP(unload) Loaded loaded = load(store);

                assert_int_equal(loaded.n, 1);
                assert_int_equal(loaded.captures[0]->state, CAPTURE_ACTIVE);
        }
        assert_int_equal(faccessat(fd, "trace-000001.dat.tmp", F_OK, 0), 0);
        assert_true(store_delete_capture(store, id, &error) < 0);
        assert_int_equal(error.code, ERROR_WRONG_STATE);
        remove_tree(tree);
}

static void what_nobody_writes_any_more_is_marked(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP_FREE char *id = NULL;
        int fd = -1;

        id = create(store, &fd);
        metadata_free(write_metadata(store, id, 1, CAPTURE_ACTIVE));
        put_file(fd, "trace-000001.dat", "this is no trace");
        put_file(fd, "trace-000002.dat.tmp", "");
        (void) close(fd);

        for (size_t i = 0; i < 2; i++) {
                CLEANUP(unload) Loaded loaded = load(store);

                assert_int_equal(loaded.n, 1);
                assert_int_equal(loaded.captures[0]->state, CAPTURE_INTERRUPTED);
                assert_string_equal(loaded.captures[0]->reason, "interrupted");
                assert_int_equal(loaded.captures[0]->n_segments, 1);
                assert_int_equal(loaded.captures[0]->segments[0].bytes, strlen("this is no trace"));
                assert_true(loaded.captures[0]->end_realtime > 0);
        }
        remove_tree(tree);
}

static void leftovers_go_and_strangers_stay(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP_FREE char *root = path_of(tree, "a/b/captures"), *deleted = NULL, *stranger = NULL, *unborn = NULL,
                          *unborn_path = NULL;
        int fd = -1;

        deleted = path_of(root, ".20200101T000000-00000000");
        stranger = path_of(root, "lost+found");
        assert_int_equal(mkdir(deleted, 0700), 0);
        assert_int_equal(mkdir(stranger, 0700), 0);
        {
                CLEANUP_CLOSE int dir = open(deleted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                put_file(dir, "trace-000001.dat", "x");
        }
        unborn = create(store, &fd);
        (void) close(fd);
        unborn_path = path_of(root, unborn);
        {
                CLEANUP(unload) Loaded loaded = load(store);

                assert_int_equal(loaded.n, 0);
                assert_int_equal(loaded.n_skipped, 0);
        }
        assert_int_equal(access(deleted, F_OK), -1);
        assert_int_equal(access(unborn_path, F_OK), -1);
        assert_int_equal(access(stranger, F_OK), 0);
        remove_tree(tree);
}

static void unreadable_metadata_are_counted(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP_FREE char *a = NULL, *b = NULL;
        CLEANUP_CLOSE int fd_a = -1, fd_b = -1;

        a = create(store, &fd_a);
        b = create(store, &fd_b);
        put_file(fd_a, "capture.json", "{\"half\": ");
        assert_int_equal(symlinkat("/etc/passwd", fd_b, "capture.json"), 0);
        {
                CLEANUP(unload) Loaded loaded = load(store);

                assert_int_equal(loaded.n, 0);
                assert_int_equal(loaded.n_skipped, 2);
        }
        remove_tree(tree);
}

static void deletion_leaves_nothing(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *root = path_of(tree, "a/b/captures"), *id = NULL;
        int fd = -1;

        id = create(store, &fd);
        put_file(fd, "trace-000001.dat", "x");
        (void) close(fd);
        assert_int_equal(store_delete_capture(store, id, &error), 0);
        assert_int_equal(rmdir(root), 0);
        assert_true(store_delete_capture(store, id, &error) < 0);
        assert_int_equal(error.code, ERROR_NO_SUCH_CAPTURE);
        remove_tree(tree);
}

static void segments_are_opened_by_number(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        const char *const wrong[] = { "..", "a/b", "", "20200101T000000-00000000", "../../etc" };
        CLEANUP_FREE char *id = NULL;
        CLEANUP_CLOSE int dir = -1, fd = -1;
        char text[8];

        id = create(store, &dir);
        put_file(dir, "trace-000012.dat", "twelve");
        assert_int_equal(symlinkat("/etc/passwd", dir, "trace-000013.dat"), 0);
        assert_int_equal(store_open_segment(store, id, 12, NULL, &fd), 0);
        assert_int_equal(read(fd, text, sizeof(text)), 6);
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        for (uint64_t number = 13; number <= 14; number++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int none = -1;

                assert_true(store_open_segment(store, id, number, &error, &none) < 0);
                assert_int_equal(error.code, number == 13 ? ERROR_FAILED : ERROR_NO_SUCH_SEGMENT);
                assert_int_equal(none, -1);
        }
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int none = -1;

                assert_true(store_open_segment(store, wrong[i], 1, &error, &none) < 0);
                assert_int_equal(error.code, ERROR_NO_SUCH_CAPTURE);
        }
        remove_tree(tree);
}

static void digests_are_those_of_sha256(void **state) {
        char *tree = make_tree();
        CLEANUP(store_freep) Store *store = open_store(tree);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *id = NULL;
        CLEANUP_CLOSE int dir = -1;
        char digest[65];

        id = create(store, &dir);
        put_file(dir, "trace-000001.dat", "abc");
        put_file(dir, "trace-000002.dat", "");
        /* The examples of FIPS 180-2 and of its authors. */
        assert_int_equal(store_digest_segment(store, id, 1, &error, digest), 0);
        assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(store_digest_segment(store, id, 2, &error, digest), 0);
        assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_true(store_digest_segment(store, id, 3, &error, digest) < 0);
        assert_int_equal(error.code, ERROR_NO_SUCH_SEGMENT);
        remove_tree(tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(captures_have_private_directories),
                cmocka_unit_test(metadata_come_back_oldest_first),
                cmocka_unit_test(what_is_being_written_is_left_alone),
                cmocka_unit_test(what_nobody_writes_any_more_is_marked),
                cmocka_unit_test(leftovers_go_and_strangers_stay),
                cmocka_unit_test(unreadable_metadata_are_counted),
                cmocka_unit_test(deletion_leaves_nothing),
                cmocka_unit_test(segments_are_opened_by_number),
                cmocka_unit_test(digests_are_those_of_sha256),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("capture-store", tests, NULL, NULL);
}
