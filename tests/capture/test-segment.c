/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Segments made of real pages, with any number of CPUs, on each file system that can be had: what
 * trace-cmd makes of them at every step, and what repairing brings back.
 */

#include "capture-test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/segment.h"
#include "kernel/formats.h"

#define REGION (64U << 10)

/* Pages of one CPU's buffer with what each holds. */
typedef struct Page {
        char data[4096];
        unsigned n_events;
} Page;

typedef struct Fixture {
        char *tree;
        TraceFormats *formats;
        Page *pages;
        size_t n_pages;
} Fixture;

/* Each page of the fixture has as many events as its number. */
static void record_pages(Fixture *fixture, unsigned n) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Instance *instance = instance_for(true, 1U << 20);
        const CpuList *cpus = instance_cpus(instance);
        char *systems[] = { (char[]){ "syscalls" }, NULL };

        if (formats_collect(systems, false, &error, &fixture->formats) < 0 ||
            instance_set_tracing(instance, true, &error) < 0)
                fail_msg("%s", error_text(&error));
        assert_int_equal(instance_page_size(instance), sizeof(fixture->pages[0].data));
        fixture->pages = calloc(n, sizeof(fixture->pages[0]));
        assert_non_null(fixture->pages);
        while (fixture->n_pages < n) {
                Page *page = &fixture->pages[fixture->n_pages];
                unsigned n_read = 0;

                page->n_events = (unsigned) fixture->n_pages + 1;
                make_events(page->n_events);
                for (size_t i = 0; i < cpus->n_cpus; i++) {
                        CLEANUP_CLOSE int fd = -1;

                        assert_int_equal(instance_open_raw(instance, cpus->cpus[i], &fd), 0);
                        while (read(fd, page->data, sizeof(page->data)) == (ssize_t) sizeof(page->data))
                                n_read++;
                }
                assert_true(n_read > 0);
                /* Otherwise the kernel was at a page's end in the midst of them. */
                if (n_read == 1)
                        fixture->n_pages++;
        }
        assert_int_equal(instance_destroy(instance), 0);
}

static int set_up(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        cpu_set_t old, one;

        assert_non_null(fixture);
        fixture->tree = make_tree();
        assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
        record_pages(fixture, 40);
        assert_int_equal(sched_setaffinity(0, sizeof(old), &old), 0);
        *state = fixture;
        return 0;
}

static int clean_up(void **state) {
        Fixture *fixture = *state;

        remove_tree(fixture->tree);
        trace_formats_free(fixture->formats);
        free(fixture->pages);
        free(fixture);
        return 0;
}

static int open_new(const char *path) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0)
                fail_msg("%s: %s", path, strerror(errno));
        return fd;
}

static Segment *begin(const Fixture *fixture, int fd, const char *cpus, uint64_t region_size) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(cpu_list_clear) CpuList list = { 0 };
        Segment *segment = NULL;
        SegmentHead head = {
                .formats = fixture->formats,
                .cpus = &list,
                .clock = "local",
                .region_size = region_size,
                .trace_id = 42,
        };

        if (cpu_list_parse(cpus, &error, &list) < 0 || segment_begin(fd, &head, &error, &segment) < 0)
                fail_msg("%s", error_text(&error));
        return segment;
}

/* The next page of the fixture, which counts its events in *n. */
static void give(const Fixture *fixture, Segment *segment, size_t cpu_index, size_t page, long *n) {
        assert_int_equal(segment_write(segment, cpu_index, fixture->pages[page].data, 4096), 0);
        *n += fixture->pages[page].n_events;
}

static void close_segment(Segment *segment, const char *path) {
        SegmentTail tail = { .cmdlines = "1 init\n" };
        uint64_t bytes = 0;

        assert_int_equal(segment_close(segment, &tail, &bytes), 0);
        assert_int_equal(bytes, file_size(path));
}

/* The CPUs that have pages decide which holes there are. */
static void every_pattern_of_empty_cpus(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "patterns.dat");

        for (unsigned pattern = 0; pattern < 16; pattern++) {
                CLEANUP_CLOSE int fd = open_new(path);
                CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0,1,3,7", REGION);
                uint64_t first = 1, last = 1;
                long n = 0;

                assert_true(is_valid(path));
                assert_int_equal(count_events(path, 0), 0);
                for (size_t cpu = 0; cpu < 4; cpu++)
                        for (size_t i = 0; (pattern & 1U << cpu) && i <= cpu; i++)
                                give(fixture, segment, cpu, cpu * 4 + i, &n);
                assert_true(is_valid(path));
                assert_int_equal(count_events(path, 0), 0);
                assert_int_equal(segment_checkpoint(segment), 0);
                assert_true(is_valid(path));
                assert_int_equal(count_events(path, 0), n);
                assert_int_equal(segment_time_span(segment, &first, &last), 0);
                assert_int_equal(first > 0, pattern != 0);
                assert_int_equal(last > 0, pattern != 0);
                close_segment(segment, path);
                assert_true(is_valid(path));
                assert_int_equal(count_events(path, 0), n);
        }
}

static void regions_end_where_they_should(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "full.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0-1", REGION - 100);
        long n = 0;

        for (size_t i = 0; i < 16; i++) {
                assert_int_equal(segment_space(segment, 0), REGION - i * 4096);
                give(fixture, segment, 0, i, &n);
        }
        assert_int_equal(segment_space(segment, 0), 0);
        assert_int_equal(segment_write(segment, 0, fixture->pages[0].data, 4096), -EFBIG);
        assert_int_equal(segment_splice(segment, 0, fd, 4096), -EFBIG);
        give(fixture, segment, 1, 20, &n);
        assert_int_equal(segment_bytes(segment), 17 * 4096);
        assert_int_equal(segment_checkpoint(segment), 0);
        assert_int_equal(count_events(path, 0), n);
        close_segment(segment, path);
        assert_int_equal(count_events(path, 0), n);
}

static void pages_that_were_read_in_part_are_padded(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "padded.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0", REGION);

        /* 16 bytes of header, one event of 8 + 16 bytes at most. */
        assert_int_equal(segment_write(segment, 0, fixture->pages[0].data, 64), 0);
        assert_int_equal(segment_write(segment, 0, fixture->pages[0].data, 4097), -EINVAL);
        assert_int_equal(segment_bytes(segment), 4096);
        close_segment(segment, path);
        assert_int_equal(count_events(path, 0), 1);
}

static void many_cpus_make_no_difference(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "many.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0-511", REGION);
        long n = 0;

        for (size_t cpu = 0; cpu < 512; cpu += 7)
                give(fixture, segment, cpu, cpu % 40, &n);
        assert_int_equal(segment_checkpoint(segment), 0);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), n);
        close_segment(segment, path);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), n);
}

static void a_region_can_be_as_large_as_a_file(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "large.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0-3", 0);
        long n = 0;

        assert_true(segment_space(segment, 3) > UINT64_C(1) << 36);
        for (size_t cpu = 0; cpu < 4; cpu++)
                give(fixture, segment, cpu, cpu + 5, &n);
        assert_int_equal(segment_checkpoint(segment), 0);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), n);
        close_segment(segment, path);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), n);
}

static void files_that_will_not_do_are_refused(void **state) {
        const Fixture *fixture = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *path = path_of(fixture->tree, "refused.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(cpu_list_clear) CpuList none = { 0 };
        SegmentHead head = { .formats = fixture->formats, .cpus = &none, .clock = "local", .region_size = REGION };
        Segment *segment = NULL;

        assert_true(segment_begin(fd, &head, &error, &segment) < 0);
        assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
        error_clear(&error);
        assert_int_equal(cpu_list_parse("0", NULL, &none), 0);
        assert_int_equal(write(fd, "x", 1), 1);
        assert_true(segment_begin(fd, &head, &error, &segment) < 0);
        assert_int_equal(error.code, ERROR_BAD_DESCRIPTOR);
        assert_null(segment);
        assert_int_equal(file_size(path), 1);
        assert_int_equal(segment_repair(fd, NULL), -EBADMSG);
        assert_int_equal(file_size(path), 1);
}

/* What is nearly full is left as it is, and is valid all the same. */
static void few_holes_stay(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "few.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0-1", REGION);
        const uint64_t n_pages = REGION / 4096;
        uint64_t first, second, size;
        long n = 0;

        for (size_t page = 0; page + 1 < n_pages; page++)
                give(fixture, segment, 0, page, &n);
        for (size_t page = 0; page < n_pages; page++)
                give(fixture, segment, 1, page + 16, &n);
        close_segment(segment, path);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), n);
        segment_pages(segment, 0, &first, &size);
        assert_int_equal(size, REGION - 4096);
        segment_pages(segment, 1, &second, &size);
        assert_int_equal(second - first, REGION);
        assert_int_equal(segment_repair(fd, NULL), 0);
        assert_int_equal(count_events(path, 0), n);
}

/* A disk that is full has no room for the names either, and in memory files there are no holes to close. */
static void what_finds_no_room_hides_no_pages(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_CLOSE int fd = memfd_create("full", MFD_CLOEXEC);
        CLEANUP_FREE char *path = NULL;
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0-2", REGION);
        SegmentTail tail = { .cmdlines = "1 init\n" };
        struct rlimit old, full;
        uint64_t bytes = 0;
        long n = 0;

        assert_true(asprintf(&path, "/proc/%d/fd/%d", getpid(), fd) > 0);
        for (size_t cpu = 0; cpu < 3; cpu++)
                give(fixture, segment, cpu, cpu + 5, &n);
        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        full = (struct rlimit){ .rlim_cur = file_size(path), .rlim_max = old.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
        assert_int_equal(segment_close(segment, &tail, &bytes), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);

        assert_int_equal(bytes, full.rlim_cur);
        assert_int_equal(file_size(path), full.rlim_cur);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), n);
        assert_int_equal(segment_repair(fd, &bytes), 0);
        assert_int_equal(count_events(path, 0), n);
}

/* Random damage to a file that is to be repaired must not do more damage than it has. */
static void repair_survives_damage(void **state) {
        const Fixture *fixture = *state;
        CLEANUP_FREE char *path = path_of(fixture->tree, "damaged.dat");
        CLEANUP_FREE char *image = NULL;
        uint64_t size;
        long n = 0;

        {
                CLEANUP_CLOSE int fd = open_new(path);
                CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0-1", REGION);

                give(fixture, segment, 0, 1, &n);
                give(fixture, segment, 1, 2, &n);
                assert_int_equal(segment_checkpoint(segment), 0);
                size = file_size(path);
                image = malloc(size);
                assert_non_null(image);
                assert_int_equal(pread(fd, image, size, 0), (ssize_t) size);
        }

        srandom(1);
        for (unsigned i = 0; i < 3000; i++) {
                CLEANUP_CLOSE int fd = open_new(path);
                uint64_t options, at, length = (uint64_t) random() % 4 == 0 ? (uint64_t) random() % size : size;
                uint64_t junk = (uint64_t) random() << 33 | (uint64_t) random();

                assert_int_equal(write(fd, image, length), (ssize_t) length);
                /* Most of what matters is in the initial header, the options and the journal. */
                memcpy(&options, image + 28, sizeof(options));
                at = random() % 2 ? options + (uint64_t) random() % 1024 : (uint64_t) random() % 64;
                assert_true(pwrite(fd, &junk, 1 + (size_t) random() % 8, (off_t) at) > 0);
                (void) segment_repair(fd, NULL);
                assert_true(file_size(path) < UINT64_C(1) << 40);
        }
}

/* Steps of a child's system calls, at each of which the file lies as a SIGKILL would leave it. */
static void each_instant(const char *path, const char *copy, long n, bool *ret_shrunk) {
        char command[8192];
        uint64_t before = file_size(path);

        assert_true(is_valid(path));
        assert_true(count_events(path, 0) >= 0);

        (void) snprintf(command, sizeof(command), "cp --sparse=always '%s' '%s'", path, copy);
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): with our own words only */
        {
                CLEANUP_CLOSE int fd = open(copy, O_RDWR | O_CLOEXEC);
                uint64_t bytes = 0;

                assert_true(fd >= 0);
                assert_int_equal(segment_repair(fd, &bytes), 0);
                assert_int_equal(bytes, file_size(copy));
                *ret_shrunk = bytes < before;
        }
        assert_true(is_valid(copy));
        assert_int_equal(count_events(copy, 0), n);
}

static void every_instant_of_closing(const Fixture *fixture, const char *directory, bool can_collapse) {
        CLEANUP_FREE char *path = path_of(directory, "steps.dat"), *copy = path_of(directory, "copy.dat");
        CLEANUP_CLOSE int fd = open_new(path);
        CLEANUP(segment_freep) Segment *segment = begin(fixture, fd, "0,1,2,5,6", REGION);
        unsigned n_stops = 0;
        int status = 0;
        pid_t child;
        long n = 0;

        for (size_t i = 0; i < 5; i++)
                give(fixture, segment, 1, i, &n);
        for (size_t i = 5; i < 8; i++)
                give(fixture, segment, 3, i, &n);
        give(fixture, segment, 4, 9, &n);
        assert_int_equal(segment_checkpoint(segment), 0);

        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                SegmentTail tail = { .cmdlines = "1 init\n" };

                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
                        _exit(2);
                _exit(segment_close(segment, &tail, NULL) < 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        while (WIFSTOPPED(status)) {
                bool shrunk = false;

                each_instant(path, copy, n, &shrunk);
                n_stops++;
                assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
                assert_int_equal(waitpid(child, &status, 0), child);
        }
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(n_stops > 20);
        assert_int_equal(count_events(path, 0), n);
        /* The head of some 100 to 900 KiB aside, nine pages are left of two regions between them and more. */
        if (can_collapse)
                assert_true(file_size(path) - UINT64_C(9) * 4096 < file_usage(path) + 8192);
        (void) unlink(path);
        (void) unlink(copy);
}

static void every_instant_is_valid(void **state) {
        const Fixture *fixture = *state;

        every_instant_of_closing(fixture, fixture->tree, false);
}

/* On a file system of its own, made in a file of the fixture's. It is mounted where nobody else sees it. */
static void on_file_system(const Fixture *fixture, const char *type, bool can_collapse) {
        CLEANUP_FREE char *image = path_of(fixture->tree, "image"), *directory = path_of(fixture->tree, "mnt");
        char command[8192];
        int status = 1;
        pid_t child;

        (void) snprintf(command, sizeof(command),
                        "mkdir -p '%s' && truncate -s 400M '%s' && command -v mkfs.%s > /dev/null && "
                        "{ mkfs.%s -q '%s' || mkfs.%s -q -f '%s'; } > /dev/null 2>&1",
                        directory, image, type, type, image, type, image);
        if (strcmp(type, "tmpfs") != 0 && system(command) != 0) { /* NOLINT(cert-env33-c): our own words only */
                (void) unlink(image);
                print_message("# %s cannot be made here\n", type);
                skip();
        }

        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                if (strcmp(type, "tmpfs") == 0)
                        (void) snprintf(command, sizeof(command), "mkdir -p '%s' && mount -t tmpfs none '%s'",
                                        directory, directory);
                else
                        (void) snprintf(command, sizeof(command), "mount -o loop '%s' '%s'", image, directory);
                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    system(command) != 0) /* NOLINT(cert-env33-c): with our own words only */
                        _exit(77);
                every_instant_of_closing(fixture, directory, can_collapse);
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        (void) unlink(image);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                print_message("# %s cannot be mounted here\n", type);
                skip();
        }
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void every_instant_is_valid_on_ext4(void **state) {
        on_file_system(*state, "ext4", true);
}

static void every_instant_is_valid_on_xfs(void **state) {
        on_file_system(*state, "xfs", true);
}

static void every_instant_is_valid_on_btrfs(void **state) {
        on_file_system(*state, "btrfs", false);
}

static void every_instant_is_valid_on_tmpfs(void **state) {
        on_file_system(*state, "tmpfs", false);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(every_pattern_of_empty_cpus, set_up, clean_up),
                cmocka_unit_test_setup_teardown(regions_end_where_they_should, set_up, clean_up),
                cmocka_unit_test_setup_teardown(pages_that_were_read_in_part_are_padded, set_up, clean_up),
                cmocka_unit_test_setup_teardown(many_cpus_make_no_difference, set_up, clean_up),
                cmocka_unit_test_setup_teardown(a_region_can_be_as_large_as_a_file, set_up, clean_up),
                cmocka_unit_test_setup_teardown(files_that_will_not_do_are_refused, set_up, clean_up),
                cmocka_unit_test_setup_teardown(few_holes_stay, set_up, clean_up),
                cmocka_unit_test_setup_teardown(what_finds_no_room_hides_no_pages, set_up, clean_up),
                cmocka_unit_test_setup_teardown(repair_survives_damage, set_up, clean_up),
                cmocka_unit_test_setup_teardown(every_instant_is_valid, set_up, clean_up),
                cmocka_unit_test_setup_teardown(every_instant_is_valid_on_ext4, set_up, clean_up),
                cmocka_unit_test_setup_teardown(every_instant_is_valid_on_xfs, set_up, clean_up),
                cmocka_unit_test_setup_teardown(every_instant_is_valid_on_btrfs, set_up, clean_up),
                cmocka_unit_test_setup_teardown(every_instant_is_valid_on_tmpfs, set_up, clean_up),
        };

        return kernel_test_run("capture-segment", tests, ELEMENTSOF(tests));
}
