/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/pump-private.h"
#include "ktraced/clock.h"

/* Of the time that it takes to read the names of tasks, so many times until the next reading. */
#define COMMS_PAUSE 20U

#define HEAD_MAX ((off_t) 64 << 20) /* bytes */

struct PumpStream {
        TAILQ_ENTRY(PumpStream) streams;
        uint64_t sink_id;
        Stream *stream;
};

/* A segment without events, which has all that is known before: formats, clock, names of tasks. */
static int make_head(Pump *pump, char **ret, size_t *ret_size) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(segment_freep) Segment *segment = NULL;
        CLEANUP_FREE char *cmdlines = NULL, *data = NULL;
        CLEANUP_CLOSE int fd = -1;
        SegmentHead head;
        struct stat st;
        int r;

        r = pump_collect_formats(pump, &error);
        if (r < 0)
                return r;
        pump_read_comms(pump);
        r = comm_map_format(pump->comms, &cmdlines);
        if (r < 0)
                return r;
        fd = memfd_create("ktraced-stream", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        head = pump_make_head(pump);
        head.region_size = pump->page_size;
        r = segment_begin(fd, &head, &error, &segment);
        if (r >= 0)
                r = segment_close(segment, &(SegmentTail){ .cmdlines = cmdlines }, NULL);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > HEAD_MAX)
                return -EFBIG;
        data = malloc((size_t) st.st_size);
        if (!data)
                return -ENOMEM;
        if (pread(fd, data, (size_t) st.st_size, 0) != st.st_size)
                return -EIO;
        *ret_size = (size_t) st.st_size;
        *ret = STEAL_PTR(data);
        return 0;
}

static void close_stream(Pump *pump, PumpStream *stream, bool gone) {
        TAILQ_REMOVE(&pump->streams, stream, streams);
        if (gone)
                stream_free(stream->stream);
        else
                stream_end(stream->stream);
        free(stream);
}

static int add_stream(Pump *pump, uint64_t sink_id, int *fd) {
        CLEANUP_FREE char *head = NULL;
        PumpStream *stream;
        size_t size = 0;
        int r;

        r = make_head(pump, &head, &size);
        if (r >= 0)
                r = pump_open_copy(pump);
        if (r < 0)
                return r;
        stream = calloc(1, sizeof(*stream));
        if (!stream)
                return -ENOMEM;
        stream->sink_id = sink_id;
        r = stream_new(*fd, head, size, instance_cpus(pump->instance), &stream->stream);
        if (r < 0) {
                free(stream);
                return r;
        }
        (void) steal_fd(fd);
        (void) STEAL_PTR(head);
        /* What was recorded before is not for it. */
        pump_flush(pump);
        TAILQ_INSERT_TAIL(&pump->streams, stream, streams);
        if (stream_tick(stream->stream) < 0)
                close_stream(pump, stream, true);
        return 0;
}

void pump_add_stream(Pump *pump, PumpCommand *command, bool active) {
        /* What is left of the command is closed with it. */
        if (active)
                (void) add_stream(pump, command->sink_id, &command->fd);
}

void pump_end_streams(Pump *pump, uint64_t sink_id) {
        PumpStream *stream, *next;

        for (stream = TAILQ_FIRST(&pump->streams); stream; stream = next) {
                next = TAILQ_NEXT(stream, streams);
                if (stream->sink_id == sink_id)
                        close_stream(pump, stream, false);
        }
}

void pump_stream_page(Pump *pump, size_t cpu_index, size_t size) {
        PumpStream *stream, *next;

        for (stream = TAILQ_FIRST(&pump->streams); stream; stream = next) {
                next = TAILQ_NEXT(stream, streams);
                if (stream_put(stream->stream, cpu_index, pump->page, size) < 0)
                        close_stream(pump, stream, true);
        }
}

void pump_stream_pipe(Pump *pump, size_t cpu_index, size_t size) {
        ssize_t n;

        if (TAILQ_EMPTY(&pump->streams))
                return;
        if (tee(pump->pipe[0], pump->copy[1], size, SPLICE_F_NONBLOCK) <= 0)
                return;
        while ((n = read(pump->copy[0], pump->page, pump->page_size)) > 0)
                pump_stream_page(pump, cpu_index, (size_t) n);
}

void pump_stream_comms(Pump *pump, const char *changed) {
        PumpStream *stream, *next;

        for (stream = TAILQ_FIRST(&pump->streams); stream; stream = next) {
                next = TAILQ_NEXT(stream, streams);
                if (stream_put_comms(stream->stream, changed) < 0)
                        close_stream(pump, stream, true);
        }
}

void pump_tick_streams(Pump *pump) {
        PumpStream *stream, *next;

        pump_flush(pump);
        /* Behind the events of new tasks, but before the reader has reason to show them. */
        if (clock_usec(CLOCK_MONOTONIC) - pump->comms_read >= COMMS_PAUSE * pump->comms_cost)
                pump_read_comms(pump);
        for (stream = TAILQ_FIRST(&pump->streams); stream; stream = next) {
                next = TAILQ_NEXT(stream, streams);
                if (stream_tick(stream->stream) < 0)
                        close_stream(pump, stream, true);
        }
}
