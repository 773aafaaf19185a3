/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pump on disks that are full or do not answer: mounted where nobody else sees them.
 */

#include "capture-test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool unshared;

static void need_mounts(void) {
        if (!unshared)
                skip();
}

static void full_disk_ends_its_own_sink_only(void **state) {
        char *tree = make_tree();
        CLEANUP_FREE char *small = path_of(tree, "small"), *path = path_of(small, "output.dat");
        CLEANUP_FREE char *capture = NULL;
        CLEANUP(pump_report_freep) PumpReport *full = NULL, *report = NULL;
        TestPump pump;
        int fd;

        need_mounts();
        assert_int_equal(mkdir(small, 0700), 0);
        assert_int_equal(mount("none", small, "tmpfs", 0, "size=3m"), 0);
        pump = pump_begin(true, 8U << 20, tree);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);

        pump_add_output(&pump, 1, fd);
        pump_expect(&pump, PUMP_SINK_READY, 1);
        capture = pump_add(&pump, 2, 1U << 20, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 2);
        for (unsigned i = 0; i < 20; i++)
                make_events_in_children(2, 10000);
        full = pump_wait(&pump, PUMP_SINK_CLOSED, 1);
        make_events(1000);
        assert_int_equal(pump_remove_sink(pump.pump, 2, "stopped"), 0);
        report = pump_wait(&pump, PUMP_SINK_CLOSED, 2);

        assert_true(full->r < 0);
        assert_int_equal(full->error.code, ERROR_NO_SPACE);
        assert_int_equal(full->metadata->state, CAPTURE_FAILED);
        assert_non_null(strstr(full->metadata->reason, "No space"));
        assert_true(is_valid(path));
        assert_true(count_events(path, 0) > 0);
        assert_true(count_events(path, 0) >= (long) full->metadata->events);

        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->state, CAPTURE_COMPLETE);
        assert_int_equal(report->metadata->lost, 0);
        assert_int_equal(report->metadata->events, 401000);
        assert_int_equal(count_capture(capture, report->metadata, 0), 401000);

        pump_end(&pump);
        assert_int_equal(umount(small), 0);
        remove_tree(tree);
}

static void full_disk_in_the_store(void **state) {
        char *tree = make_tree();
        CLEANUP(pump_report_freep) PumpReport *full = NULL;
        CLEANUP_FREE char *capture = NULL;
        TestPump pump;

        need_mounts();
        assert_int_equal(mount("none", tree, "tmpfs", 0, "size=3m"), 0);
        pump = pump_begin(true, 8U << 20, tree);
        capture = pump_add(&pump, 1, 512U << 10, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 1);
        for (unsigned i = 0; i < 20; i++)
                make_events_in_children(2, 10000);
        full = pump_wait(&pump, PUMP_SINK_CLOSED, 1);

        assert_true(full->r < 0);
        assert_int_equal(full->error.code, ERROR_NO_SPACE);
        assert_int_equal(full->metadata->state, CAPTURE_FAILED);
        for (size_t i = 0; i < full->metadata->n_segments; i++) {
                char name[STORE_SEGMENT_NAME_MAX];
                CLEANUP_FREE char *path = NULL;

                store_segment_name(full->metadata->segments[i].number, name);
                path = path_of(capture, name);
                assert_true(is_valid(path));
                assert_true(count_events(path, 0) >= 0);
        }

        pump_end(&pump);
        assert_int_equal(umount(tree), 0);
        remove_tree(tree);
}

static bool mount_ext4(const char *tree, const char *directory) {
        char command[8192];

        (void) snprintf(command, sizeof(command),
                        "mkdir -p '%s' && truncate -s 200M '%s/image' && mkfs.ext4 -q -F '%s/image' && "
                        "mount -o loop '%s/image' '%s'",
                        directory, tree, tree, tree, directory);
        return system(command) == 0; /* NOLINT(cert-env33-c): with our own words only */
}

/* Commands are posted while the pump hangs in a write; what was recorded meanwhile waits in the kernel. */
static void stalled_disk_stalls_nobody_else(void **state) {
        char *tree = make_tree();
        CLEANUP_FREE char *disk = path_of(tree, "disk"), *capture = NULL;
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        CLEANUP_CLOSE int fd = -1;
        struct pollfd ready;
        uint64_t begin;
        TestPump pump;

        need_mounts();
        if (!mount_ext4(tree, disk)) {
                remove_tree(tree);
                skip();
        }
        pump = pump_begin(true, 16U << 20, disk);
        capture = pump_add(&pump, 1, 0, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events_in_children(2, 20000);
        pump_expect(&pump, PUMP_PROGRESS, 1);

        fd = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(ioctl(fd, FIFREEZE, 0), 0);
        make_events_in_children(2, 30000);
        (void) sleep(2); /* a checkpoint comes to be due, and hangs */
        begin = now_usec();
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(pump_rotate(pump.pump, 2), 0);
        assert_true(now_usec() - begin < 20000);
        ready = (struct pollfd){ .fd = pump_fd(pump.pump), .events = POLLIN };
        while (poll(&ready, 1, 100) == 1)
                pump_report_free(pump_take_report(pump.pump));
        assert_int_equal(ioctl(fd, FITHAW, 0), 0);

        for (unsigned i = 0; i < 100; i++) {
                CLEANUP(pump_report_freep) PumpReport *answer = pump_wait(&pump, PUMP_ROTATED, 2);

                assert_int_equal(answer->error.code, ERROR_WRONG_STATE);
        }
        assert_int_equal(pump_remove_sink(pump.pump, 1, "stopped"), 0);
        report = pump_wait(&pump, PUMP_SINK_CLOSED, 1);
        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->lost, 0);
        assert_int_equal(report->metadata->events, 100000);
        assert_int_equal(count_capture(capture, report->metadata, 0), 100000);

        pump_end(&pump);
        closep(&fd);
        fd = -1;
        assert_int_equal(umount(disk), 0);
        remove_tree(tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(full_disk_ends_its_own_sink_only),
                cmocka_unit_test(full_disk_in_the_store),
                cmocka_unit_test(stalled_disk_stalls_nobody_else),
        };

        unshared = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        return kernel_test_run("capture-disk", tests, ELEMENTSOF(tests));
}
