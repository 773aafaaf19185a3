/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "capture/page-events.h"

/* Fits into the pipe that everybody gets, of 64 KiB. */
#define HEAD_PART_MAX ((size_t) 16384)
#define COMMS_PART_MAX ((size_t) 16384)

struct Stream {
        int fd;
        char *head; /* NULL once it is through */
        size_t head_size, head_done;
        const CpuList *cpus;
        StreamLost lost[]; /* of each CPU, and not told yet */
};

int stream_new(int fd, void *head, size_t head_size, const CpuList *cpus, Stream **ret) {
        Stream *stream = calloc(1, sizeof(*stream) + cpus->n_cpus * sizeof(stream->lost[0]));

        if (!stream)
                return -ENOMEM;
        stream->fd = fd;
        stream->head = head;
        stream->head_size = head_size;
        stream->cpus = cpus;
        *ret = stream;
        return 0;
}

void stream_free(Stream *stream) {
        if (!stream)
                return;
        (void) close(stream->fd);
        free(stream->head);
        free(stream);
}

static bool stream_has_begun(const Stream *stream) {
        return !stream->head;
}

/* Bytes that surely fit. A write of which the last part does not fit into the pipe's last page begins a new one
 * (fs/pipe.c, pipe_write(); 6.1): two pages in a row hold more than one page's bytes, so that at least half of what
 * is taken is used, but for the first page, which may be read in part, and the last ones. */
static size_t room_in(const Stream *stream) {
        size_t reserve = 4 * (size_t) sysconf(_SC_PAGESIZE), half;
        int capacity = fcntl(stream->fd, F_GETPIPE_SZ), used;

        if (capacity < 0 || ioctl(stream->fd, FIONREAD, &used) < 0 || (size_t) capacity < reserve)
                return 0;
        half = ((size_t) capacity - reserve) / 2;
        return half > (size_t) used ? half - (size_t) used : 0;
}

/* 1, 0 when there is no room for it and `reserve` bytes, -EPIPE. */
static int put_frame(Stream *stream, StreamFrameType type, uint32_t cpu, const void *data, size_t size,
                     size_t reserve) {
        StreamFrame frame = { .type = type, .size = (uint32_t) size, .cpu = cpu };
        struct iovec parts[] = { { &frame, sizeof(frame) }, { (void *) data, size } };
        ssize_t n;

        if (room_in(stream) < sizeof(frame) + size + reserve)
                return 0;
        n = writev(stream->fd, parts, ELEMENTSOF(parts));
        if (n < 0)
                return errno == EAGAIN ? 0 : -EPIPE;
        /* What was cut cannot be read any further: the reader gets an end. */
        return (size_t) n == sizeof(frame) + size ? 1 : -EPIPE;
}

/* Writes what fits of the head. 1: it is through; 0: more is left. */
static int stream_begin(Stream *stream) {
        while (stream->head) {
                size_t n = stream->head_size - stream->head_done;
                int r;

                if (n > HEAD_PART_MAX)
                        n = HEAD_PART_MAX;
                r = put_frame(stream, STREAM_HEAD, 0, stream->head + stream->head_done, n, 0);
                if (r <= 0)
                        return r;
                stream->head_done += n;
                if (n == 0) {
                        free(stream->head);
                        stream->head = NULL;
                }
        }
        return 1;
}

/* So that what was lost can be told at the end, whatever the reader has left in the pipe. */
static size_t lost_size(const Stream *stream) {
        return stream->cpus->n_cpus * (sizeof(StreamFrame) + sizeof(StreamLost));
}

static int put_lost(Stream *stream, size_t cpu_index, size_t reserve) {
        StreamLost *lost = &stream->lost[cpu_index];
        int r;

        if (lost->pages == 0)
                return 1;
        r = put_frame(stream, STREAM_LOST, stream->cpus->cpus[cpu_index], lost, sizeof(*lost), reserve);
        if (r > 0)
                *lost = (StreamLost){ 0 };
        return r;
}

int stream_put(Stream *stream, size_t cpu_index, const void *page, size_t size) {
        StreamLost *lost = &stream->lost[cpu_index];
        uint64_t events = 0;
        int r;

        if (!stream_has_begun(stream))
                return 0;
        r = put_lost(stream, cpu_index, lost_size(stream) + sizeof(StreamFrame) + size);
        if (r > 0)
                r = put_frame(stream, STREAM_PAGE, stream->cpus->cpus[cpu_index], page, size,
                              lost_size(stream) + sizeof(StreamFrame));
        if (r != 0)
                return r < 0 ? r : 0;
        (void) page_events_count(page, size, &events);
        lost->pages++;
        lost->events += events;
        return 0;
}

int stream_put_comms(Stream *stream, const char *comms) {
        while (stream_has_begun(stream) && *comms != '\0') {
                size_t n = strlen(comms);
                int r;

                if (n > COMMS_PART_MAX) {
                        const char *end = memrchr(comms, '\n', COMMS_PART_MAX);

                        if (!end)
                                return 0;
                        n = (size_t) (end + 1 - comms);
                }
                r = put_frame(stream, STREAM_COMMS, 0, comms, n, lost_size(stream) + sizeof(StreamFrame));
                if (r <= 0)
                        return r;
                comms += n;
        }
        return 0;
}

int stream_tick(Stream *stream) {
        struct pollfd fd = { .fd = stream->fd };
        int r;

        if (poll(&fd, 1, 0) > 0 && fd.revents & POLLERR)
                return -EPIPE;
        r = stream_begin(stream);
        for (size_t i = 0; r > 0 && i < stream->cpus->n_cpus; i++)
                r = put_lost(stream, i, lost_size(stream));
        /* One that is missing is made up for by the next. */
        if (r > 0)
                r = put_frame(stream, STREAM_SYNC, 0, "", 0, lost_size(stream));
        return r < 0 ? r : 0;
}

void stream_end(Stream *stream) {
        for (size_t i = 0; stream_has_begun(stream) && i < stream->cpus->n_cpus; i++)
                (void) put_lost(stream, i, 0);
        stream_free(stream);
}
