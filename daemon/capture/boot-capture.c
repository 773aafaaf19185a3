/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/boot-capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/page-events.h"
#include "capture/segment-format.h"
#include "capture/store-private.h"
#include "ktraced/clock.h"

#define DIRECTORY HIDDEN_PREFIX "previous-boot"
#define UNFINISHED DIRECTORY ".new"
#define REASON "previous boot"

/* What was prepared, while pages are put into it. */
typedef struct Taking {
        Store *store;
        BootInstance *instance;
        int dir_fd, fd;
        Segment *segment;
        CaptureMetadata *metadata;
        uint64_t events;
} Taking;

static void taking_clear(Taking *taking) {
        segment_free(taking->segment);
        metadata_free(taking->metadata);
        closep(&taking->fd);
        closep(&taking->dir_fd);
}

static int open_prepared(Taking *taking) {
        char name[STORE_SEGMENT_NAME_MAX];
        int r;

        taking->dir_fd = openat(taking->store->fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (taking->dir_fd < 0)
                return -errno;
        if (flock(taking->dir_fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        r = store_read_metadata(taking->dir_fd, &taking->metadata);
        if (r < 0)
                return r;
        store_segment_name(1, name);
        taking->fd = openat(taking->dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (taking->fd < 0)
                return -errno;
        r = segment_load(taking->fd, &taking->segment);
        /* A start that had all of it, and did not come to its end. */
        if (r >= 0 && taking->segment->journal.state != SEGMENT_RECORDING) {
                r = segment_repair(taking->fd, NULL);
                segment_free(STEAL_PTR(taking->segment));
                if (r >= 0)
                        r = segment_load(taking->fd, &taking->segment);
        }
        /* Too short for what it says. */
        return r == -EIO ? -EBADMSG : r;
}

/* Of the boot before, as of now: a CPU that it had not has no region. */
static int find_region(const Segment *segment, unsigned cpu, size_t *ret) {
        const uint8_t *entry = segment->options + segment->journal.entries_offset;

        for (size_t i = 0; i < segment->journal.n_cpus; i++, entry += BUFFER_ENTRY_SIZE) {
                uint32_t number;

                memcpy(&number, entry, sizeof(number));
                if (number == cpu) {
                        *ret = i;
                        return 0;
                }
        }
        return -ENOENT;
}

/* Ends also when somebody goes on writing, since a region is no larger than the buffer was. */
static int drain_cpu(Taking *taking, size_t cpu_index, uint8_t *page) {
        size_t size = taking->segment->journal.page_size, region;

        if (find_region(taking->segment, boot_instance_cpus(taking->instance)->cpus[cpu_index], &region) < 0)
                return 0;
        while (segment_space(taking->segment, region) >= size) {
                ssize_t n = boot_instance_read(taking->instance, cpu_index, page, size);
                int r;

                if (n <= 0)
                        return (int) n;
                r = segment_write(taking->segment, region, page, (size_t) n);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int drain(Taking *taking) {
        CLEANUP_FREE uint8_t *page = malloc(taking->segment->journal.page_size);

        if (!page)
                return -ENOMEM;
        for (size_t i = 0; i < boot_instance_cpus(taking->instance)->n_cpus; i++) {
                int r = drain_cpu(taking, i, page), q;

                /* It is in the buffer no longer: what happens now, an error here or the daemon's end, must not cost
                 * it. */
                q = segment_checkpoint(taking->segment);
                if (r < 0 || q < 0)
                        return r < 0 ? r : q;
        }
        return 0;
}

/* In all pages, also those that an earlier start had taken. */
static int count_events(Taking *taking) {
        size_t page_size = taking->segment->journal.page_size;
        CLEANUP_FREE uint8_t *page = malloc(page_size);

        if (!page)
                return -ENOMEM;
        for (size_t i = 0; i < taking->segment->journal.n_cpus; i++) {
                uint64_t offset, size;

                segment_pages(taking->segment, i, &offset, &size);
                for (uint64_t end = offset + size; offset < end; offset += page_size) {
                        uint64_t n_events = 0;
                        int r;

                        r = read_at(taking->fd, page, page_size, offset);
                        if (r >= 0)
                                r = page_events_count(page, page_size, &n_events);
                        /* One that makes no sense is for the reader of the capture to judge. */
                        if (r < 0 && r != -EBADMSG)
                                return r;
                        taking->events += n_events;
                }
        }
        return 0;
}

static int complete_metadata(Taking *taking, uint64_t bytes) {
        CaptureMetadata *metadata = taking->metadata;
        uint64_t now = clock_usec(CLOCK_REALTIME);

        free(metadata->reason);
        metadata->reason = strdup(REASON);
        if (!metadata->reason)
                return -ENOMEM;
        metadata->state = CAPTURE_COMPLETE;
        metadata->events = taking->events;
        metadata->bytes = bytes;
        metadata->end_realtime = now;
        return metadata_add_segment(metadata, &(SegmentInfo){ .number = 1,
                                                              .bytes = bytes,
                                                              .events = taking->events,
                                                              .start_realtime = metadata->start_realtime,
                                                              .end_realtime = now });
}

static int close_segment(Taking *taking, uint64_t *ret_bytes) {
        CaptureMetadata *metadata = taking->metadata;
        struct stat st;
        int r;

        if (taking->segment->journal.state == SEGMENT_RECORDING) {
                r = segment_time_span(taking->segment, &metadata->start_trace_clock, &metadata->end_trace_clock);
                return r < 0 ? r : segment_close(taking->segment, &(SegmentTail){ 0 }, ret_bytes);
        }
        if (fstat(taking->fd, &st) < 0)
                return -errno;
        *ret_bytes = (uint64_t) st.st_size;
        return 0;
}

static int finish(Taking *taking) {
        CaptureMetadata *metadata = taking->metadata;
        uint64_t bytes = 0;
        int r;

        r = count_events(taking);
        if (r >= 0)
                r = close_segment(taking, &bytes);
        if (r >= 0)
                r = complete_metadata(taking, bytes);
        if (r >= 0)
                r = store_put_metadata(taking->dir_fd, metadata, true, NULL);
        if (r >= 0 && (fsync(taking->fd) < 0 || renameat2(taking->store->fd, DIRECTORY, taking->store->fd,
                                                          metadata->id, RENAME_NOREPLACE) < 0))
                r = -errno;
        return r;
}

static int take(Taking *taking, BootCaptureResult *ret) {
        int r;

        r = taking->segment->journal.state == SEGMENT_RECORDING ? drain(taking) : 0;
        if (r >= 0 && segment_bytes(taking->segment) > 0) {
                r = finish(taking);
                if (r >= 0)
                        *ret = BOOT_CAPTURE_TAKEN;
        } else if (r >= 0) {
                r = store_remove_directory(taking->store, DIRECTORY);
                if (r >= 0)
                        *ret = BOOT_CAPTURE_NONE;
        }
        return r;
}

static bool is_of_boot(const CaptureMetadata *metadata, const char *boot_id) {
        return metadata && metadata->boot_id && strcmp(metadata->boot_id, boot_id) == 0;
}

int boot_capture_take(Store *store, BootInstance *instance, const char *boot_id, Error *error,
                      BootCaptureResult *ret_result, CaptureMetadata **ret) {
        CLEANUP(taking_clear) Taking taking = { .store = store, .instance = instance, .dir_fd = -1, .fd = -1 };
        BootCaptureResult result = BOOT_CAPTURE_NONE;
        int r;

        r = open_prepared(&taking);
        if (r >= 0 && is_of_boot(taking.metadata, boot_id))
                result = BOOT_CAPTURE_PREPARED;
        else if (r >= 0 && taking.segment)
                r = take(&taking, &result);
        if (r == -ENOENT)
                return -ENODATA;
        if (r < 0)
                return error_set_errno(error, r, "Failed to save what the boot before recorded");
        if (result == BOOT_CAPTURE_TAKEN)
                *ret = STEAL_PTR(taking.metadata);
        *ret_result = result;
        return 0;
}

static int write_prepared(int dir_fd, const BootInstance *instance, const TraceFormats *formats, uint64_t trace_id,
                          const CaptureMetadata *metadata, Error *error) {
        CLEANUP(segment_freep) Segment *segment = NULL;
        char name[STORE_SEGMENT_NAME_MAX];
        CLEANUP_CLOSE int fd = -1;
        int r;

        store_segment_name(1, name);
        fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(error, -errno, "Failed to create %s", name);
        r = segment_begin(
                fd,
                &(SegmentHead){
                        .formats = formats,
                        .cpus = boot_instance_cpus(instance),
                        .clock = metadata->clock,
                        /* The reader's page comes on top of those in the ring. */
                        .region_size = boot_instance_buffer_size(instance) + UINT64_C(2) * formats->page_size,
                        .trace_id = trace_id,
                },
                error, &segment);
        if (r < 0)
                return r;
        if (fsync(fd) < 0)
                return error_set_errno(error, -errno, "Failed to write %s", name);
        return store_put_metadata(dir_fd, metadata, true, error);
}

int boot_capture_prepare(Store *store, BootInstance *instance, const TraceFormats *formats, uint64_t trace_id,
                         const CaptureMetadata *metadata, Error *error) {
        CLEANUP_CLOSE int dir_fd = -1;
        int r;

        /* Complete, or not there: what a start that was interrupted left is made anew. */
        r = store_remove_directory(store, UNFINISHED);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(error, r, "Failed to prepare for the next boot");
        if (mkdirat(store->fd, UNFINISHED, 0700) < 0)
                return error_set_errno(error, -errno, "Failed to prepare for the next boot");
        dir_fd = openat(store->fd, UNFINISHED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir_fd < 0)
                return error_set_errno(error, -errno, "Failed to prepare for the next boot");
        r = write_prepared(dir_fd, instance, formats, trace_id, metadata, error);
        if (r < 0)
                return r;
        /* One that could not be used. */
        r = store_remove_directory(store, DIRECTORY);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(error, r, "Failed to prepare for the next boot");
        if (fsync(dir_fd) < 0 || renameat2(store->fd, UNFINISHED, store->fd, DIRECTORY, RENAME_NOREPLACE) < 0 ||
            fsync(store->fd) < 0)
                return error_set_errno(error, -errno, "Failed to prepare for the next boot");
        return 0;
}
