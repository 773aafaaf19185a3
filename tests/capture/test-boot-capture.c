/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The capture that one boot leaves to the next, with an instance that is made up: the kernel's is tried in the VM
 * tier. Needs no root.
 */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/boot-capture.h"
#include "capture/segment-format.h"

#define PAGE_SIZE 1024U

struct BootInstance {
        CpuList cpus;
        unsigned left[3]; /* pages, for each CPU */
        int r;            /* what reading ends with after those */
};

const CpuList *boot_instance_cpus(const BootInstance *instance) {
        return &instance->cpus;
}

uint64_t boot_instance_buffer_size(const BootInstance *instance) {
        return UINT64_C(8) * PAGE_SIZE;
}

/* A page with one event of four bytes, as the kernel's ring buffer has them. */
ssize_t boot_instance_read(BootInstance *instance, size_t cpu_index, void *page, size_t size) {
        uint64_t head[2] = { 200 - instance->left[cpu_index], 8 };
        uint32_t event[2] = { 1, 42 };

        assert_int_equal(size, PAGE_SIZE);
        if (instance->left[cpu_index] == 0)
                return instance->r;
        instance->left[cpu_index]--;
        memset(page, 0, size);
        memcpy(page, head, sizeof(head));
        memcpy((char *) page + sizeof(head), event, sizeof(event));
        return (ssize_t) size;
}

typedef struct Fixture {
        char root[64];
        Store *store;
        BootInstance instance;
        unsigned cpus[3];
} Fixture;

static void begin(Fixture *fixture) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        *fixture = (Fixture){ .root = "/tmp/ktraced-test-XXXXXX", .cpus = { 0, 1, 3 } };
        assert_non_null(mkdtemp(fixture->root));
        fixture->instance.cpus = (CpuList){ .cpus = fixture->cpus, .n_cpus = 2 };
        assert_succeeds(store_open(fixture->root, &error, &fixture->store), &error);
}

static void end(Fixture *fixture) {
        char command[128];

        store_free(fixture->store);
        (void) snprintf(command, sizeof(command), "rm -r %s", fixture->root);
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): with our own words only */
}

static char *path_in(const Fixture *fixture, const char *name) {
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", fixture->root, name) > 0);
        return path;
}

static void prepare(Fixture *fixture, const char *boot_id, const char *capture_id) {
        char text[] = "x", system[] = "s", format[] = "name: a\nID: 1\n";
        TraceText word = { .data = text, .size = 1 }, event = { .data = format, .size = sizeof(format) - 1 };
        TraceSystemFormats systems = { .system = system, .formats = &event, .n_formats = 1 };
        TraceFormats formats = {
                .header_page = word,
                .header_event = word,
                .systems = &systems,
                .n_systems = 1,
                .page_size = PAGE_SIZE,
        };
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(metadata_new(&metadata), 0);
        metadata->id = strdup(capture_id);
        metadata->boot_id = strdup(boot_id);
        metadata->session_id = strdup("");
        metadata->session_name = strdup("previous-boot");
        metadata->clock = strdup("mono");
        metadata->start_realtime = 7;
        assert_succeeds(boot_capture_prepare(fixture->store, &fixture->instance, &formats, 1, metadata, &error),
                        &error);
}

static BootCaptureResult take(Fixture *fixture, const char *boot_id, CaptureMetadata **ret) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        BootCaptureResult result = BOOT_CAPTURE_NONE;

        assert_succeeds(boot_capture_take(fixture->store, &fixture->instance, boot_id, &error, &result, ret), &error);
        return result;
}

/* What the store has, as a start of the daemon finds it. */
static size_t count_captures(Fixture *fixture) {
        CaptureMetadata **captures = NULL;
        size_t n = 0, n_skipped = 0;

        assert_int_equal(store_load(fixture->store, NULL, &captures, &n, &n_skipped), 0);
        assert_int_equal(n_skipped, 0);
        for (size_t i = 0; i < n; i++)
                metadata_free(captures[i]);
        free(captures);
        return n;
}

static void check_segment(Fixture *fixture, const char *id, unsigned pages_0, unsigned pages_1) {
        CLEANUP(segment_freep) Segment *segment = NULL;
        CLEANUP_CLOSE int fd = -1;
        uint64_t offset, size;

        assert_int_equal(store_open_segment(fixture->store, id, 1, NULL, &fd), 0);
        assert_int_equal(segment_load(fd, &segment), 0);
        assert_int_equal(segment->journal.state, SEGMENT_CLOSED);
        segment_pages(segment, 0, &offset, &size);
        assert_int_equal(size, pages_0 * PAGE_SIZE);
        segment_pages(segment, 1, &offset, &size);
        assert_int_equal(size, pages_1 * PAGE_SIZE);
}

static void one_boot_after_another(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *first = NULL, *second = NULL, *none = NULL;
        BootCaptureResult result;
        Fixture fixture;

        begin(&fixture);
        assert_int_equal(boot_capture_take(fixture.store, &fixture.instance, "b1", NULL, &result, &none), -ENODATA);
        prepare(&fixture, "b1", "20261124T000000-00000001");
        assert_int_equal(count_captures(&fixture), 0);

        /* A restart within the boot takes nothing, whatever has been recorded by then. */
        fixture.instance.left[0] = 3;
        fixture.instance.left[1] = 2;
        assert_int_equal(take(&fixture, "b1", &none), BOOT_CAPTURE_PREPARED);
        assert_int_equal(fixture.instance.left[0], 3);
        assert_null(none);

        assert_int_equal(take(&fixture, "b2", &first), BOOT_CAPTURE_TAKEN);
        assert_string_equal(first->id, "20261124T000000-00000001");
        assert_string_equal(first->boot_id, "b1");
        assert_string_equal(first->reason, "previous boot");
        assert_int_equal(first->state, CAPTURE_COMPLETE);
        assert_int_equal(first->events, 5);
        assert_int_equal(first->start_trace_clock, 197);
        assert_int_equal(first->end_trace_clock, 199);
        assert_int_equal(first->n_segments, 1);
        assert_int_equal(first->bytes, first->segments[0].bytes);
        check_segment(&fixture, first->id, 3, 2);
        assert_int_equal(count_captures(&fixture), 1);

        /* The next boot records nothing: that leaves no capture, and no other directory. */
        prepare(&fixture, "b2", "20261124T000000-00000002");
        assert_int_equal(take(&fixture, "b3", &none), BOOT_CAPTURE_NONE);
        assert_int_equal(boot_capture_take(fixture.store, &fixture.instance, "b3", NULL, &result, &none), -ENODATA);

        prepare(&fixture, "b3", "20261124T000000-00000003");
        fixture.instance.left[1] = 1;
        assert_int_equal(take(&fixture, "b4", &second), BOOT_CAPTURE_TAKEN);
        check_segment(&fixture, second->id, 0, 1);
        assert_int_equal(count_captures(&fixture), 2);
        end(&fixture);
}

static void more_than_fits_is_left(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *taken = NULL;
        Fixture fixture;

        /* Somebody writes all the time, and a CPU has come that the boot before had not. */
        begin(&fixture);
        prepare(&fixture, "b1", "20261124T000000-00000001");
        fixture.instance.cpus.n_cpus = 3;
        fixture.instance.left[0] = 1000;
        fixture.instance.left[2] = 5;
        assert_int_equal(take(&fixture, "b2", &taken), BOOT_CAPTURE_TAKEN);
        check_segment(&fixture, taken->id, 10, 0);
        assert_int_equal(fixture.instance.left[0], 990);
        assert_int_equal(fixture.instance.left[2], 5);
        end(&fixture);
}

static void an_error_loses_nothing(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *taken = NULL;
        BootCaptureResult result;
        Fixture fixture;

        begin(&fixture);
        prepare(&fixture, "b1", "20261124T000000-00000001");
        fixture.instance.left[0] = 2;
        fixture.instance.left[1] = 2;
        fixture.instance.r = -EIO;
        assert_int_equal(boot_capture_take(fixture.store, &fixture.instance, "b2", NULL, &result, &taken), -EIO);
        assert_null(taken);
        assert_int_equal(count_captures(&fixture), 0);
        fixture.instance.r = 0;
        assert_int_equal(take(&fixture, "b2", &taken), BOOT_CAPTURE_TAKEN);
        check_segment(&fixture, taken->id, 2, 2);
        assert_int_equal(taken->events, 4);
        end(&fixture);
}

/* Everything was drained and closed, and then the daemon was killed. */
static void a_start_that_was_killed(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *taken = NULL;
        CLEANUP_FREE char *path = NULL;
        Fixture fixture;

        begin(&fixture);
        prepare(&fixture, "b1", "20261124T000000-00000001");
        path = path_in(&fixture, ".previous-boot/trace-000001.dat");
        {
                CLEANUP(segment_freep) Segment *segment = NULL;
                CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
                uint8_t page[PAGE_SIZE];

                assert_int_equal(segment_load(fd, &segment), 0);
                fixture.instance.left[1] = 1;
                assert_int_equal(boot_instance_read(&fixture.instance, 1, page, sizeof(page)), sizeof(page));
                assert_int_equal(segment_write(segment, 1, page, sizeof(page)), 0);
                assert_int_equal(segment_close(segment, &(SegmentTail){ 0 }, NULL), 0);
        }
        assert_int_equal(take(&fixture, "b2", &taken), BOOT_CAPTURE_TAKEN);
        check_segment(&fixture, taken->id, 0, 1);
        assert_int_equal(taken->events, 1);
        end(&fixture);
}

static void damage_is_made_good(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *taken = NULL;
        CLEANUP_FREE char *segment = NULL, *half = NULL;
        BootCaptureResult result;
        Fixture fixture;

        begin(&fixture);
        prepare(&fixture, "b1", "20261124T000000-00000001");
        segment = path_in(&fixture, ".previous-boot/trace-000001.dat");
        assert_int_equal(truncate(segment, 20), 0);
        assert_int_equal(boot_capture_take(fixture.store, &fixture.instance, "b2", NULL, &result, &taken), -EBADMSG);

        /* And a start that was interrupted while it prepared. */
        half = path_in(&fixture, ".previous-boot.new");
        assert_int_equal(mkdir(half, 0700), 0);
        prepare(&fixture, "b2", "20261124T000000-00000002");
        assert_int_equal(access(half, F_OK), -1);
        fixture.instance.left[0] = 1;
        assert_int_equal(take(&fixture, "b3", &taken), BOOT_CAPTURE_TAKEN);
        assert_string_equal(taken->boot_id, "b2");
        end(&fixture);
}

static void two_daemons_do_not_meet(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *none = NULL;
        CLEANUP_FREE char *path = NULL;
        CLEANUP_CLOSE int fd = -1;
        BootCaptureResult result;
        Fixture fixture;

        begin(&fixture);
        prepare(&fixture, "b1", "20261124T000000-00000001");
        path = path_in(&fixture, ".previous-boot");
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
        assert_int_equal(boot_capture_take(fixture.store, &fixture.instance, "b2", NULL, &result, &none), -EBUSY);
        assert_null(none);
        end(&fixture);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_boot_after_another),  cmocka_unit_test(more_than_fits_is_left),
                cmocka_unit_test(an_error_loses_nothing),  cmocka_unit_test(damage_is_made_good),
                cmocka_unit_test(a_start_that_was_killed), cmocka_unit_test(two_daemons_do_not_meet),
        };

        return cmocka_run_group_tests_name("boot-capture", tests, NULL, NULL);
}
