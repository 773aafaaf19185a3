/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "capture/store.h"
#include "core/strv.h"
#include "ktraced/clock.h"

#define TEMPORARY_SUFFIX ".tmp"

struct Sink {
        SinkConfig config;
        CpuList cpus;
        Segment *segment;
        int fd; /* of the segment; with an output the output's */
        unsigned generation;
        uint64_t next_number;
        SegmentInfo info;       /* of the present segment */
        uint64_t began;         /* CLOCK_MONOTONIC usec, when the present segment did */
        uint64_t events;        /* since joining */
        uint64_t events_before; /* the same when the present segment began */
        uint64_t bytes_before;  /* of pages in the segments before the present one */
        uint64_t bytes_closed;  /* size of the segments that are kept */
        uint64_t bytes_closing; /* of pages in those that are being closed */
};

void closing_segment_free(ClosingSegment *closing) {
        if (!closing)
                return;

        segment_free(closing->segment);
        if (closing->fd >= 0)
                (void) close(closing->fd);
        free(closing->cmdlines);
        strv_free(closing->cpu_stats);
        free(closing);
}

static void closing_segment_free_item(MailboxItem *item) {
        closing_segment_free((ClosingSegment *) item);
}

int closing_segment_run(ClosingSegment *closing) {
        SegmentTail tail = { .cmdlines = closing->cmdlines, .cpu_stats = closing->cpu_stats };

        closing->r = segment_close(closing->segment, &tail, &closing->info.bytes);
        return closing->r;
}

int sink_new(const SinkConfig *config, Error *error, Sink **ret) {
        Sink *sink;

        sink = calloc(1, sizeof(*sink));
        if (!sink) {
                closep(&config->dir_fd);
                closep(&config->output_fd);
                return error_set_errno(error, -ENOMEM, "Failed to set up the capture");
        }

        sink->config = *config;
        sink->fd = -1;
        sink->next_number = 1;
        sink->config.metadata->external = config->output_fd >= 0;
        *ret = sink;
        return 0;
}

void sink_free(Sink *sink) {
        if (!sink)
                return;

        segment_free(sink->segment);
        if (sink->fd >= 0)
                (void) close(sink->fd);
        closep(&sink->config.dir_fd);
        closep(&sink->config.output_fd);
        cpu_list_clear(&sink->cpus);
        metadata_free(sink->config.metadata);
        free(sink);
}

static void temporary_name(uint64_t number, char ret[static STORE_SEGMENT_NAME_MAX + sizeof(TEMPORARY_SUFFIX)]) {
        char name[STORE_SEGMENT_NAME_MAX];

        store_segment_name(number, name);
        (void) snprintf(ret, STORE_SEGMENT_NAME_MAX + sizeof(TEMPORARY_SUFFIX), "%s" TEMPORARY_SUFFIX, name);
}

static int create_file(Sink *sink, Error *error, int *ret) {
        char name[STORE_SEGMENT_NAME_MAX + sizeof(TEMPORARY_SUFFIX)];
        int fd;

        temporary_name(sink->next_number, name);
        fd = openat(sink->config.dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(error, -errno, "Failed to create %s", name);
        *ret = fd;
        return 0;
}

/* procfs and the like have no blocks at all (simple_statfs(), fs/libfs.c); tmpfs without a limit says so, too. A
 * write to one of their files acts with the rights of the writer, which is not the client that opened it. */
static int check_stores_data(int fd, Error *error) {
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return error_set_errno(error, -errno, "Failed to look at the output's file system");
        if (fs.f_blocks == 0 && fs.f_type != TMPFS_MAGIC)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output is in a file system that stores no data");
        return 0;
}

int sink_prepare(Sink *sink, Error *error) {
        struct stat st;
        int r;

        if (!sink_is_external(sink))
                return create_file(sink, error, &sink->fd);

        if (fstat(sink->config.output_fd, &st) < 0)
                return error_set_errno(error, -errno, "Failed to look at the output file");
        if (st.st_size > 0)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output file is not empty");
        r = check_stores_data(sink->config.output_fd, error);
        if (r < 0)
                return r;
        sink->fd = fcntl(sink->config.output_fd, F_DUPFD_CLOEXEC, 3);
        if (sink->fd < 0)
                return error_set_errno(error, -errno, "Failed to duplicate the output's descriptor");
        return 0;
}

/* Writes the head into `fd` and gives the file its name. What went wrong leaves no file behind. */
static int begin_segment(Sink *sink, int fd, const SegmentHead *head, Error *error, Segment **ret) {
        char from[STORE_SEGMENT_NAME_MAX + sizeof(TEMPORARY_SUFFIX)], to[STORE_SEGMENT_NAME_MAX];
        CLEANUP(segment_freep) Segment *segment = NULL;
        SegmentHead h = *head;
        int r;

        if (sink_is_external(sink))
                h.region_size = 0;
        else if (h.region_size == 0)
                h.region_size = sink->config.segment_size;
        r = segment_begin(fd, &h, error, &segment);
        if (!sink_is_external(sink)) {
                temporary_name(sink->next_number, from);
                store_segment_name(sink->next_number, to);
                if (r >= 0 && renameat(sink->config.dir_fd, from, sink->config.dir_fd, to) < 0)
                        r = error_set_errno(error, -errno, "Failed to rename %s", from);
                if (r < 0)
                        (void) unlinkat(sink->config.dir_fd, from, 0);
        }
        if (r < 0)
                return r;

        *ret = STEAL_PTR(segment);
        return 0;
}

/* The counters and times of a segment that has just begun. */
static void enter_segment(Sink *sink, Segment *segment) {
        sink->segment = segment;
        sink->began = clock_usec(CLOCK_MONOTONIC);
        sink->events_before = sink->events;
        sink->info = (SegmentInfo){
                .number = sink->next_number++,
                .start_realtime = clock_usec(CLOCK_REALTIME),
        };
}

/* Its row in the metadata, where segments that are open or being closed stand, too. */
static int note_segment(Sink *sink, const SegmentInfo *info) {
        CaptureMetadata *metadata = sink->config.metadata;

        for (size_t i = metadata->n_segments; i-- > 0;)
                if (metadata->segments[i].number == info->number) {
                        metadata->segments[i] = *info;
                        return 0;
                }
        return metadata_add_segment(metadata, info);
}

static int write_metadata(Sink *sink, Error *error) {
        if (sink_is_external(sink))
                return 0;
        return store_write_metadata_at(sink->config.dir_fd, sink->config.metadata, error);
}

int sink_begin(Sink *sink, const SegmentHead *head, Error *error) {
        Segment *segment;
        int r;

        if (sink->cpus.n_cpus == 0) {
                r = cpu_list_copy(head->cpus, &sink->cpus);
                if (r < 0)
                        return error_set_errno(error, r, "Failed to begin the capture");
        }
        r = begin_segment(sink, sink->fd, head, error, &segment);
        if (r < 0)
                return r;

        enter_segment(sink, segment);
        r = note_segment(sink, &sink->info);
        if (r < 0)
                return error_set_errno(error, r, "Failed to begin the capture");
        return write_metadata(sink, error);
}

Segment *sink_segment(Sink *sink) {
        return sink->segment;
}

uint64_t sink_space(const Sink *sink, size_t cpu_index) {
        uint64_t space = segment_space(sink->segment, cpu_index), bytes;

        if (sink_is_external(sink))
                return space;

        /* The regions of a segment in the store are as large as the segment may become, so that its size is
         * reached before any of them is full. */
        bytes = segment_bytes(sink->segment);
        if (bytes >= sink->config.segment_size)
                return 0;
        return space < sink->config.segment_size - bytes ? space : sink->config.segment_size - bytes;
}

/* A segment without events does not age: an idle session would leave a trail of empty files. */
bool sink_is_old(const Sink *sink, uint64_t now, uint64_t n_waiting) {
        return !sink_is_external(sink) && sink->segment && sink->config.segment_age > 0 &&
               sink->info.events + n_waiting > 0 && now - sink->began >= sink->config.segment_age;
}

bool sink_is_external(const Sink *sink) {
        return sink->config.output_fd >= 0;
}

const CaptureMetadata *sink_metadata(const Sink *sink) {
        return sink->config.metadata;
}

uint64_t sink_bytes(const Sink *sink) {
        return sink->bytes_before + (sink->segment ? segment_bytes(sink->segment) : 0);
}

static void update_size(Sink *sink) {
        sink->config.metadata->bytes =
                sink->bytes_closed + sink->bytes_closing + (sink->segment ? segment_bytes(sink->segment) : 0);
}

int sink_account(Sink *sink, uint64_t events, const uint64_t *lost) {
        CaptureMetadata *metadata = sink->config.metadata;

        sink->events = events;
        sink->info.events = events - sink->events_before;
        sink->info.bytes = segment_bytes(sink->segment);
        metadata->events = events;
        metadata->lost = 0;
        for (size_t i = 0; i < sink->cpus.n_cpus; i++) {
                metadata->lost += lost[i];
                if (lost[i] > 0) {
                        int r = metadata_set_loss(metadata, sink->cpus.cpus[i], lost[i]);

                        if (r < 0)
                                return r;
                }
        }
        update_size(sink);
        return note_segment(sink, &sink->info);
}

static void note_times(Sink *sink) {
        uint64_t first, last;

        if (segment_time_span(sink->segment, &first, &last) < 0 || first == 0)
                return;
        if (sink->config.metadata->start_trace_clock == 0)
                sink->config.metadata->start_trace_clock = first;
        if (last > sink->config.metadata->end_trace_clock)
                sink->config.metadata->end_trace_clock = last;
}

int sink_checkpoint(Sink *sink) {
        note_times(sink);
        return segment_checkpoint(sink->segment);
}

int sink_add_gap(Sink *sink, const RecordingGap *gap) {
        return metadata_add_gap(sink->config.metadata, gap);
}

/* Everything that is needed to close the present segment, but for the segment itself. */
static int closing_segment_new(Sink *sink, const char *cmdlines, char *const *cpu_stats, ClosingSegment **ret) {
        CLEANUP(closing_segment_freep) ClosingSegment *closing = NULL;

        closing = calloc(1, sizeof(*closing));
        if (!closing)
                return -ENOMEM;
        closing->item.free = closing_segment_free_item;
        closing->fd = -1;
        if (cmdlines) {
                closing->cmdlines = strdup(cmdlines);
                if (!closing->cmdlines)
                        return -ENOMEM;
        }
        if (cpu_stats) {
                int r = strv_copy(cpu_stats, &closing->cpu_stats);

                if (r < 0)
                        return r;
        }

        *ret = STEAL_PTR(closing);
        return 0;
}

static void leave_segment(Sink *sink, ClosingSegment *closing) {
        note_times(sink);
        sink->bytes_before += segment_bytes(sink->segment);
        sink->bytes_closing += segment_bytes(sink->segment);
        sink->info.bytes = segment_bytes(sink->segment);
        sink->info.end_realtime = clock_usec(CLOCK_REALTIME);
        closing->generation = sink->generation;
        closing->info = sink->info;
        (void) note_segment(sink, &sink->info); /* it is there: this changes the row */
        closing->segment = STEAL_PTR(sink->segment);
        closing->fd = steal_fd(&sink->fd);
}

int sink_rotate(Sink *sink, const SegmentHead *head, const char *cmdlines, char *const *cpu_stats, Error *error,
                ClosingSegment **ret) {
        CLEANUP(closing_segment_freep) ClosingSegment *closing = NULL;
        CLEANUP_CLOSE int fd = -1;
        Segment *segment;
        int r;

        if (sink_is_external(sink))
                return error_set(error, ERROR_WRONG_STATE, "A capture in the client's file has one segment only");

        r = closing_segment_new(sink, cmdlines, cpu_stats, &closing);
        if (r < 0)
                return error_set_errno(error, r, "Failed to rotate");
        r = create_file(sink, error, &fd);
        if (r < 0)
                return r;
        r = begin_segment(sink, fd, head, error, &segment);
        if (r < 0)
                return r;

        leave_segment(sink, closing);
        sink->fd = steal_fd(&fd);
        enter_segment(sink, segment);
        *ret = STEAL_PTR(closing);

        r = note_segment(sink, &sink->info);
        if (r < 0)
                return error_set_errno(error, r, "Failed to rotate");
        return 0;
}

int sink_retire(Sink *sink, const char *cmdlines, char *const *cpu_stats, ClosingSegment **ret) {
        ClosingSegment *closing = NULL;

        if (sink->segment) {
                int r = closing_segment_new(sink, cmdlines, cpu_stats, &closing);

                if (r < 0)
                        return r;
                leave_segment(sink, closing);
        }
        *ret = closing;
        return 0;
}

static void drop_segment(Sink *sink, uint64_t number) {
        char name[STORE_SEGMENT_NAME_MAX];

        store_segment_name(number, name);
        /* A file that cannot be removed now goes with the capture. */
        (void) unlinkat(sink->config.dir_fd, name, 0);
}

/* `closed`: the last one that was closed; those behind it are still in use. */
static void drop_oldest(Sink *sink, uint64_t closed) {
        CaptureMetadata *metadata = sink->config.metadata;

        while (sink->config.segments_max > 0 && metadata->n_segments > sink->config.segments_max &&
               metadata->segments[0].number <= closed) {
                drop_segment(sink, metadata->segments[0].number);
                sink->bytes_closed -= metadata->segments[0].bytes;
                metadata->n_segments--;
                memmove(metadata->segments, metadata->segments + 1,
                        metadata->n_segments * sizeof(metadata->segments[0]));
                metadata->segments_dropped++;
        }
}

int sink_take_closed(Sink *sink, const ClosingSegment *closing, Error *error, SegmentInfo *ret) {
        int r;

        if (closing->generation != sink->generation)
                return 0;

        if (closing->r < 0)
                (void) error_set_errno(error, closing->r, "Failed to close segment %llu",
                                       (unsigned long long) closing->info.number);
        r = note_segment(sink, &closing->info);
        if (r < 0)
                return error_set_errno(error, r, "Failed to note a segment");
        sink->bytes_closing -= segment_bytes(closing->segment);
        sink->bytes_closed += closing->info.bytes;
        drop_oldest(sink, closing->info.number);
        update_size(sink);

        r = write_metadata(sink, error);
        if (r < 0 || closing->r < 0)
                return closing->r < 0 ? closing->r : r;
        *ret = closing->info;
        return 1;
}

/* Takes everything off that was recorded, but for the present segment. */
static void forget_recorded(Sink *sink) {
        CaptureMetadata *metadata = sink->config.metadata;

        for (uint64_t number = 1; !sink_is_external(sink) && number < sink->info.number; number++)
                drop_segment(sink, number);
        sink->generation++;
        sink->events = sink->events_before = 0;
        sink->bytes_before = sink->bytes_closed = sink->bytes_closing = 0;
        metadata->n_segments = 0;
        metadata->segments_dropped = 0;
        metadata->n_losses = 0;
        metadata->events = metadata->lost = metadata->bytes = 0;
        metadata->start_trace_clock = metadata->end_trace_clock = 0;
        metadata->start_realtime = clock_usec(CLOCK_REALTIME);
}

int sink_note_thinned(Sink *sink, const char *event, Error *error) {
        int r = strv_append(&sink->config.metadata->thinned, event);

        return r < 0 ? error_set_errno(error, r, "Cannot describe the capture") : write_metadata(sink, error);
}

int sink_clear(Sink *sink, const SegmentHead *head, Error *error) {
        CLEANUP_CLOSE int fd = -1;
        Segment *segment;
        int r;

        if (sink_is_external(sink)) {
                segment_free(STEAL_PTR(sink->segment));
                if (ftruncate(sink->fd, 0) < 0)
                        return error_set_errno(error, -errno, "Failed to empty the output file");
                r = begin_segment(sink, sink->fd, head, error, &segment);
                if (r < 0)
                        return r;
        } else {
                r = create_file(sink, error, &fd);
                if (r < 0)
                        return r;
                r = begin_segment(sink, fd, head, error, &segment);
                if (r < 0)
                        return r;
                drop_segment(sink, sink->info.number);
                segment_free(STEAL_PTR(sink->segment));
                (void) close(sink->fd);
                sink->fd = steal_fd(&fd);
        }

        forget_recorded(sink);
        enter_segment(sink, segment);
        r = note_segment(sink, &sink->info);
        if (r < 0)
                return error_set_errno(error, r, "Failed to begin anew");
        return write_metadata(sink, error);
}

int sink_finish(Sink *sink, CaptureState state, const char *reason, CaptureMetadata **ret) {
        CaptureMetadata *metadata = sink->config.metadata;
        char name[STORE_SEGMENT_NAME_MAX + sizeof(TEMPORARY_SUFFIX)];
        CLEANUP_FREE char *copy = NULL;
        int r = 0;

        if (reason) {
                copy = strdup(reason);
                if (!copy)
                        r = -ENOMEM;
        }
        free(metadata->reason);
        metadata->reason = STEAL_PTR(copy);
        metadata->state = state;
        metadata->end_realtime = clock_usec(CLOCK_REALTIME);
        update_size(sink);

        /* Left over when the first head was never written. */
        if (!sink_is_external(sink)) {
                temporary_name(sink->next_number, name);
                (void) unlinkat(sink->config.dir_fd, name, 0);
        }
        if (r >= 0)
                r = write_metadata(sink, NULL);
        *ret = STEAL_PTR(sink->config.metadata);
        return r;
}
