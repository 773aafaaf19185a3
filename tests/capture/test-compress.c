/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Compression of closed segments: trace-cmd reads the same before and after, and whatever comes between leaves one
 * whole file.
 */

#include "capture-test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20U
#define SEGMENT_SIZE (UINT64_C(1) << 20)

static bool unshared;
static char *model_tree;

/* A capture in a store of its own, recorded once and copied for each test. */
typedef struct Copy {
        char *tree, *root, *id, *directory;
        Store *store;
        CaptureMetadata *metadata;
        bool mounted;
} Copy;

static void __attribute__((format(printf, 1, 2))) shell(const char *format, ...) {
        CLEANUP_FREE char *command = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&command, format, ap);
        va_end(ap);
        assert_true(r >= 0);
        if (system(command) != 0) /* NOLINT(cert-env33-c): with our own words only */
                fail_msg("failed: %s", command);
}

static void a_capture_is_recorded(void **state) {
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        TestPump pump;

        model_tree = make_tree();
        pump = pump_begin(true, 4U << 20, model_tree);
        free(pump_add(&pump, 1, SEGMENT_SIZE, 0, 0));
        pump_expect(&pump, PUMP_SINK_READY, 1);
        for (unsigned i = 0; i < 6; i++)
                make_events_in_children(2, 5000);
        assert_int_equal(pump_remove_sink(pump.pump, 1, "stopped"), 0);
        report = pump_wait(&pump, PUMP_SINK_CLOSED, 1);
        assert_int_equal(report->metadata->lost, 0);
        assert_true(report->metadata->n_segments >= 2);
        pump_end(&pump);
}

/* `on`: where a file system is mounted already, or NULL. */
static Copy copy_begin(const char *on) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *model = path_of(model_tree, "store");
        Copy copy = { .tree = on ? strdup(on) : make_tree(), .mounted = on != NULL };
        CaptureMetadata **captures = NULL;
        size_t n = 0, n_skipped = 0;

        copy.root = path_of(copy.tree, "store");
        shell("cp -a --sparse=always '%s' '%s'", model, copy.root);
        assert_int_equal(store_open(copy.root, &error, &copy.store), 0);
        assert_int_equal(store_load(copy.store, &error, &captures, &n, &n_skipped), 0);
        assert_int_equal(n, 1);
        assert_int_equal(n_skipped, 0);
        copy.metadata = captures[0];
        free(captures);
        copy.id = strdup(copy.metadata->id);
        copy.directory = path_of(copy.root, copy.id);
        return copy;
}

static void copy_end(Copy *copy) {
        metadata_free(copy->metadata);
        store_free(copy->store);
        free(copy->directory);
        free(copy->id);
        free(copy->root);
        if (copy->mounted)
                free(copy->tree);
        else
                remove_tree(copy->tree);
}

static char *segment_path(const Copy *copy, size_t i) {
        char name[STORE_SEGMENT_NAME_MAX];

        store_segment_name(copy->metadata->segments[i].number, name);
        return path_of(copy->directory, name);
}

static void check_same_report(const Copy *copy, const char *path) {
        char raw[4096];

        /* Beside the store that is copied, once for all. */
        (void) snprintf(raw, sizeof(raw), "%s/%s", model_tree, strrchr(path, '/') + 1);
        shell("test -e '%s' || cp '%s/store/%s/%s' '%s'", raw, model_tree, copy->id, strrchr(path, '/') + 1, raw);
        if (!is_valid(path))
                fail_msg("%s is not valid", path);
        /* Events as text and as numbers, and what the statistics say but for the place in the file. */
        shell("bash -c \"report() { trace-cmd report -i \\$1 2>&1; trace-cmd report -R -i \\$1 2>&1; "
              "trace-cmd report --stat -i \\$1 2>&1 | grep -v recorded.at.offset; }; "
              "test -e '%s.report' || report '%s' > '%s.report'; cmp '%s.report' <(report '%s')\"",
              raw, raw, raw, raw, path);
}

static void check_digest(const char *path, const char *sha256) {
        shell("echo '%s  %s' | sha256sum --check --status", sha256, path);
}

static void compress_all(Copy *copy) {
        for (size_t i = 0; i < copy->metadata->n_segments; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP_FREE char *path = segment_path(copy, i);
                SegmentInfo *info = copy->metadata->segments + i;
                StoreCompression result = { 0 };

                if (store_compress_segment(copy->store, copy->id, info->number, NULL, &error, &result) < 0)
                        fail_msg("%s", error_text(&error));
                assert_int_equal(result.raw_bytes, info->bytes);
                assert_int_equal(result.bytes, file_size(path));
                assert_true(result.usec > 0);
                /* System calls with hardly an argument: five times, and more, on any kernel. */
                assert_true(result.bytes * 4 < result.raw_bytes);
                check_digest(path, result.sha256);
                check_same_report(copy, path);
        }
}

static void assert_no_debris(const Copy *copy) {
        shell("test -z \"$(ls -A '%s' | grep -v -x -e capture.json -e '%s')\"", copy->directory,
              "trace-[0-9]*\\.dat");
}

static void trace_cmd_reads_the_same(void **state) {
        Copy copy = copy_begin(NULL);
        CLEANUP_FREE char *path = segment_path(&copy, 0);
        CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint64_t raw_size = file_size(path);
        StoreCompression unused;
        struct stat st;

        compress_all(&copy);
        assert_no_debris(&copy);
        /* Who had it open has it still. */
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, raw_size);
        assert_int_equal(st.st_nlink, 0);
        /* And not once more. */
        assert_int_equal(store_compress_segment(copy.store, copy.id, 1, NULL, NULL, &unused), -EBADMSG);
        assert_no_debris(&copy);
        check_same_report(&copy, path);
        copy_end(&copy);
}

/* There the regions stay where they were laid out. */
static void sparse_segments(void **state) {
        char *tree;
        Copy copy;

        if (!unshared)
                skip();
        tree = make_tree();
        assert_int_equal(mount("none", tree, "tmpfs", 0, "size=512m"), 0);
        {
                CLEANUP(pump_report_freep) PumpReport *report = NULL;
                TestPump pump = pump_begin(true, 4U << 20, tree);
                CLEANUP_FREE char *capture = pump_add(&pump, 1, SEGMENT_SIZE, 0, 0), *path = NULL;
                StoreCompression result;

                pump_expect(&pump, PUMP_SINK_READY, 1);
                make_events_in_children(2, 5000);
                assert_int_equal(pump_remove_sink(pump.pump, 1, "stopped"), 0);
                report = pump_wait(&pump, PUMP_SINK_CLOSED, 1);
                path = path_of(capture, "trace-000001.dat");
                assert_true(file_usage(path) < file_size(path));
                assert_int_equal(
                        store_compress_segment(pump.store, strrchr(capture, '/') + 1, 1, NULL, NULL, &result), 0);
                assert_int_equal(result.bytes, file_size(path));
                report->metadata->segments[0].bytes = result.bytes;
                assert_int_equal(count_capture(capture, report->metadata, 0), 10000);
                pump_end(&pump);
        }
        shell("rm -r '%s/%s'", tree, "store");
        copy = copy_begin(tree);
        compress_all(&copy);
        assert_no_debris(&copy);
        copy_end(&copy);
        assert_int_equal(umount(tree), 0);
        remove_tree(tree);
}

typedef struct Counter {
        uint64_t n, until, last;
        int then;
        const char *fill; /* a file to fill the disk with */
} Counter;

static void fill_disk(const char *path) {
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static const char zeros[4096];

        assert_true(fd >= 0);
        while (write(fd, zeros, sizeof(zeros)) > 0)
                continue;
        assert_int_equal(errno, ENOSPC);
}

static int count_calls(uint64_t written, void *userdata) {
        Counter *counter = userdata;

        assert_true(written >= counter->last);
        counter->last = written;
        if (counter->n++ < counter->until)
                return 0;
        if (counter->fill) {
                fill_disk(counter->fill);
                counter->fill = NULL;
        }
        return counter->then;
}

static void it_stops_when_told(void **state) {
        Copy copy = copy_begin(NULL);
        CLEANUP_FREE char *path = segment_path(&copy, 0), *to = path_of(copy.tree, "to");
        CLEANUP_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC), fd = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        Counter counter = { .until = 8, .then = -ECANCELED };
        uint64_t bytes = 0;

        assert_int_equal(segment_compress(from, fd, count_calls, &counter, &bytes), -ECANCELED);
        assert_int_equal(counter.n, 9);
        counter = (Counter){ .until = UINT64_MAX };
        assert_int_equal(segment_compress(from, fd, count_calls, &counter, &bytes), 0);
        assert_int_equal(bytes, file_size(to));
        assert_true(counter.n > 8);
        copy_end(&copy);
}

static void full_disk(void **state) {
        char *tree;
        Copy copy;

        if (!unshared)
                skip();
        tree = make_tree();
        assert_int_equal(mount("none", tree, "tmpfs", 0, "size=64m"), 0);
        copy = copy_begin(tree);
        {
                CLEANUP_FREE char *path = segment_path(&copy, 0), *to = path_of(tree, "to"),
                                  *filler = path_of(tree, "filler");
                CLEANUP_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC),
                                  fd = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                Counter counter = { .until = 8, .fill = filler };
                CLEANUP(error_clear) Error error = ERROR_INIT;
                StoreCompression unused;
                uint64_t bytes = 0;

                /* In the middle of it ... */
                assert_int_equal(segment_compress(from, fd, count_calls, &counter, &bytes), -ENOSPC);
                assert_null(counter.fill);
                /* ... and before it. */
                assert_int_equal(unlink(to), 0);
                assert_int_equal(store_compress_segment(copy.store, copy.id, 1, NULL, &error, &unused), -ENOSPC);
                assert_int_equal(error.code, ERROR_NO_SPACE);
                assert_no_debris(&copy);
                check_same_report(&copy, path);
                assert_int_equal(unlink(filler), 0);
        }
        compress_all(&copy);
        copy_end(&copy);
        assert_int_equal(umount(tree), 0);
        remove_tree(tree);
}

/* The segment is raw or compressed, whole in any case, and the next start knows which. */
static void check_after_kill(Copy *copy) {
        CaptureMetadata **captures = NULL;
        uint64_t bytes = 0;
        size_t n = 0, n_skipped = 0;

        assert_int_equal(store_load(copy->store, NULL, &captures, &n, &n_skipped), 0);
        assert_int_equal(n, 1);
        assert_int_equal(n_skipped, 0);
        assert_int_equal(captures[0]->n_segments, copy->metadata->n_segments);
        assert_no_debris(copy);
        for (size_t i = 0; i < captures[0]->n_segments; i++) {
                const SegmentInfo *info = captures[0]->segments + i, *before = copy->metadata->segments + i;
                CLEANUP_FREE char *path = segment_path(copy, i);

                check_same_report(copy, path);
                assert_int_equal(info->bytes, file_size(path));
                bytes += info->bytes;
                if (info->bytes < before->bytes) {
                        assert_int_equal(info->raw_bytes, before->bytes);
                        assert_int_equal(info->sha256[0], '\0');
                } else
                        assert_int_equal(info->raw_bytes, 0);
        }
        assert_int_equal(captures[0]->bytes, bytes);
        metadata_free(captures[0]);
        free(captures);
}

static void kills_at_random(void **state) {
        unsigned n_compressed = 0;

        for (unsigned i = 0; i < ROUNDS; i++) {
                Copy copy = copy_begin(NULL);
                pid_t child = fork();

                assert_true(child >= 0);
                if (child == 0) {
                        StoreCompression unused;

                        for (size_t j = 0; j < copy.metadata->n_segments; j++)
                                (void) store_compress_segment(copy.store, copy.id, copy.metadata->segments[j].number,
                                                              NULL, NULL, &unused);
                        _exit(0);
                }
                /* From one that has hardly begun to one that may be through. */
                (void) usleep((useconds_t) (i * 2500));
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(waitpid(child, NULL, 0), child);
                for (size_t j = 0; j < copy.metadata->n_segments; j++) {
                        CLEANUP_FREE char *path = segment_path(&copy, j);

                        n_compressed += file_size(path) < copy.metadata->segments[j].bytes;
                }
                check_after_kill(&copy);
                copy_end(&copy);
        }
        (void) printf("# %u segments were compressed before the kill\n", n_compressed);
}

/* What a power cut between two steps leaves. */
static void each_step_can_be_the_last(void **state) {
        Copy copy = copy_begin(NULL);
        CLEANUP_FREE char *path = segment_path(&copy, 0), *half = NULL;
        StoreCompression result;
        int fd;

        /* Begun, by somebody who is still at it, and then is not. */
        half = path_of(copy.directory, "trace-000001.dat.tmp");
        fd = open(half, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "half", 4), 4);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        assert_int_equal(store_compress_segment(copy.store, copy.id, 1, NULL, NULL, &result), -EBUSY);
        {
                CaptureMetadata **captures = NULL;
                size_t n = 0, n_skipped = 0;

                assert_int_equal(store_load(copy.store, NULL, &captures, &n, &n_skipped), 0);
                metadata_free(captures[0]);
                free(captures);
        }
        assert_int_equal(access(half, F_OK), 0);
        (void) close(fd);
        check_after_kill(&copy);

        /* In its place, without the metadata, and what was there still beside it. */
        shell("cp '%s' '%s.raw'", path, copy.root);
        assert_int_equal(store_compress_segment(copy.store, copy.id, 1, NULL, NULL, &result), 0);
        shell("mv '%s.raw' '%s'", copy.root, half);
        check_after_kill(&copy);
        copy_end(&copy);
}

typedef struct Work {
        const Copy *copy;
        atomic_uint_least64_t written;
        atomic_bool done;
        int r;
} Work;

static void *compress_in_thread(void *argument) {
        Work *work = argument;

        for (size_t i = 0; i < work->copy->metadata->n_segments; i++) {
                StoreCompression unused;
                int r = store_compress_segment(work->copy->store, work->copy->id,
                                               work->copy->metadata->segments[i].number, &work->written, NULL,
                                               &unused);

                if (r < 0 && work->r == 0)
                        work->r = r;
        }
        atomic_store(&work->done, true);
        return NULL;
}

static void deletion_in_the_middle(void **state) {
        unsigned n_stopped = 0;

        for (unsigned i = 0; i < ROUNDS; i++) {
                Copy copy = copy_begin(NULL);
                Work work = { .copy = &copy };
                CLEANUP(error_clear) Error error = ERROR_INIT;
                pthread_t thread;

                assert_int_equal(pthread_create(&thread, NULL, compress_in_thread, &work), 0);
                while (i % 2 == 0 && atomic_load(&work.written) == 0 && !atomic_load(&work.done))
                        (void) usleep(100);
                if (store_delete_capture(copy.store, copy.id, &error) < 0)
                        fail_msg("%s", error_text(&error));
                assert_int_equal(pthread_join(thread, NULL), 0);
                assert_true(work.r == 0 || work.r == -ECANCELED || work.r == -ENOENT);
                n_stopped += work.r == -ECANCELED;
                assert_int_equal(atomic_load(&work.written), 0);
                /* Nothing is in the store, neither under its name nor under another. */
                assert_int_equal(rmdir(copy.root), 0);
                copy_end(&copy);
        }
        (void) printf("# %u of %u were stopped by it\n", n_stopped, ROUNDS);
}

static void one_segment_dropped_in_the_middle(void **state) {
        for (unsigned i = 0; i < ROUNDS / 2; i++) {
                Copy copy = copy_begin(NULL);
                CLEANUP_FREE char *path = segment_path(&copy, 0);
                Work work = { .copy = &copy };
                pthread_t thread;

                assert_int_equal(pthread_create(&thread, NULL, compress_in_thread, &work), 0);
                while (atomic_load(&work.written) == 0 && !atomic_load(&work.done))
                        (void) usleep(100);
                assert_int_equal(unlink(path), 0);
                assert_int_equal(pthread_join(thread, NULL), 0);
                assert_int_equal(access(path, F_OK), -1);
                assert_no_debris(&copy);
                copy_end(&copy);
        }
}

static void the_daemon_s_end_stops_it(void **state) {
        Copy copy = copy_begin(NULL);
        CLEANUP_FREE char *path = segment_path(&copy, 0);
        StoreCompression unused;

        store_cancel_background(copy.store);
        assert_int_equal(store_compress_segment(copy.store, copy.id, 1, NULL, NULL, &unused), -ECANCELED);
        assert_no_debris(&copy);
        check_same_report(&copy, path);
        copy_end(&copy);
}

static void what_is_no_segment_stays(void **state) {
        Copy copy = copy_begin(NULL);
        CLEANUP_FREE char *path = segment_path(&copy, 0);
        StoreCompression unused;
        uint64_t size = file_size(path);

        /* The last section cut off, then no head, then nothing. */
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(truncate(path, i == 0 ? (off_t) size - 100 : i == 1 ? 8 : 0), 0);
                assert_int_equal(store_compress_segment(copy.store, copy.id, 1, NULL, NULL, &unused), -EBADMSG);
                assert_no_debris(&copy);
        }
        assert_int_equal(store_compress_segment(copy.store, copy.id, 999, NULL, NULL, &unused), -ECANCELED);
        copy_end(&copy);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_capture_is_recorded),
                cmocka_unit_test(trace_cmd_reads_the_same),
                cmocka_unit_test(sparse_segments),
                cmocka_unit_test(it_stops_when_told),
                cmocka_unit_test(full_disk),
                cmocka_unit_test(kills_at_random),
                cmocka_unit_test(each_step_can_be_the_last),
                cmocka_unit_test(deletion_in_the_middle),
                cmocka_unit_test(one_segment_dropped_in_the_middle),
                cmocka_unit_test(the_daemon_s_end_stops_it),
                cmocka_unit_test(what_is_no_segment_stays),
        };

        int failed;

        unshared = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        failed = kernel_test_run("capture-compress", tests, ELEMENTSOF(tests));
        if (model_tree)
                remove_tree(model_tree);
        return failed;
}
