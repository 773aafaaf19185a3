/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/follow-stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/frame-buffer.h"
#include "client/render-json.h"
#include "client/render-text.h"
#include "core/comm-map.h"
#include "ktraced/clock.h"

/* Processor time for what was read at once. */
#define STALL_SECONDS 20
/* Pages that wait to be put in order; a daemon that sends no marks does not make it more. */
#define HELD_MAX ((size_t) 64 << 20)
#define HEAD_MAX ((size_t) 256 << 20)
/* So much text is written at once. */
#define TEXT_MAX (64L << 10)
#define USEC_PER_MSEC 1000

typedef struct FollowStream {
        const FollowOptions *options;
        int fd, out_fd, signal_fd;
        volatile FollowTotals *totals;
        volatile DecodePhase *phase;
        FrameBuffer frames;
        int head_fd; /* what has come of it; -1: it is through */
        size_t head_size;
        Decoder *decoder; /* NULL: the head is not through */
        RecordFilter *filter;
        FILE *text_file; /* what is to be written, in memory */
        char *text;
        size_t text_size;
        RenderText render_text;
        RenderJson render_json;
        uint64_t newest;         /* time stamp of what has come */
        uint64_t newest_at_sync; /* that at the last mark */
        size_t held;             /* bytes of pages since the last mark */
        uint64_t deadline;       /* CLOCK_MONOTONIC, usec; UINT64_MAX: none */
        bool ended;              /* printed enough, or told to end */
} FollowStream;

static void follow_clear(FollowStream *follow) {
        render_text_clear(&follow->render_text);
        render_json_clear(&follow->render_json);
        record_filter_free(follow->filter);
        decoder_free(follow->decoder);
        frame_buffer_clear(&follow->frames);
        closep(&follow->head_fd);
        if (follow->text_file)
                (void) fclose(follow->text_file);
        free(follow->text);
}

static int damaged(Error *error, const char *what) {
        return error_set(error, ERROR_INVALID_ARGUMENT, "the stream is damaged: %s", what);
}

static int no_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "out of memory");
}

/* 1: the output takes some bytes without waiting; 0: it is time to end. */
static int wait_for_output(const FollowStream *follow) {
        struct pollfd fds[] = {
                { .fd = follow->signal_fd, .events = POLLIN },
                { .fd = follow->out_fd, .events = POLLOUT },
        };

        while (poll(fds, ELEMENTSOF(fds), -1) < 0)
                if (errno != EINTR)
                        return -errno;
        if (fds[1].revents & POLLERR)
                return -EPIPE;
        return fds[1].revents & POLLOUT ? 1 : 0;
}

/* A pipe that poll(2) calls writable takes PIPE_BUF bytes, so that a signal does not find it waiting for a reader. */
static int write_out(FollowStream *follow) {
        size_t done = 0;

        if (fflush(follow->text_file) != 0)
                return -ENOMEM;
        while (done < follow->text_size) {
                size_t left = follow->text_size - done;
                int r = wait_for_output(follow);
                ssize_t n;

                if (r < 0)
                        return r;
                if (r == 0) {
                        follow->ended = true;
                        break;
                }
                n = write(follow->out_fd, follow->text + done, left < PIPE_BUF ? left : PIPE_BUF);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                done += n > 0 ? (size_t) n : 0;
        }
        return fseeko(follow->text_file, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int print_lost(FollowStream *follow, const DecoderRecord *record) {
        if (follow->options->report.json)
                return render_json_lost(&follow->render_json, record, decoder_has_time(follow->decoder));
        render_text_lost(&follow->render_text, record);
        return 0;
}

static int print_record(FollowStream *follow, const DecoderRecord *record) {
        RecordMatch match = record_filter_match(follow->filter, record);
        int r = 0;

        if (match >= RECORD_COVERED && record->lost != 0)
                r = print_lost(follow, record);
        if (r < 0 || match != RECORD_WANTED)
                return r;
        if (follow->options->report.json)
                r = render_json_record(&follow->render_json, record, decoder_has_time(follow->decoder));
        else
                render_text_record(&follow->render_text, record, decoder_has_time(follow->decoder));
        follow->totals->printed++;
        if (follow->totals->printed == follow->options->report.first)
                follow->ended = true;
        return r;
}

/* What is not later than `limit`. */
static int print_up_to(FollowStream *follow, uint64_t limit) {
        DecoderRecord record;
        int r = 0;

        decoder_set_limit(follow->decoder, limit);
        while (!follow->ended && decoder_next(follow->decoder, &record) > 0) {
                r = print_record(follow, &record);
                if (r >= 0 && ftello(follow->text_file) >= TEXT_MAX)
                        r = write_out(follow);
                if (r < 0)
                        return r;
                decode_watch_stall(STALL_SECONDS);
        }
        return write_out(follow);
}

static int take_head(FollowStream *follow, const char *data, size_t size, Error *error) {
        int r;

        if (follow->head_fd < 0)
                return damaged(error, "it begins anew");
        if (size > HEAD_MAX - follow->head_size)
                return damaged(error, "its head is too long");
        follow->head_size += size;
        for (size_t done = 0; done < size;) {
                ssize_t n = write(follow->head_fd, data + done, size - done);

                if (n < 0)
                        return error_set_errno(error, -errno, "the stream cannot be kept");
                done += (size_t) n;
        }
        if (size > 0)
                return 0;

        r = decoder_open(follow->head_fd, error, &follow->decoder);
        if (r < 0)
                return r;
        closep(&follow->head_fd);
        follow->head_fd = -1;
        decoder_go_live(follow->decoder);
        *follow->phase = DECODE_COMPILING;
        r = record_filter_new(&follow->options->report.selection, follow->decoder, error, &follow->filter);
        *follow->phase = DECODE_READING;
        if (r < 0)
                return r;
        if (!follow->options->report.json)
                decoder_fold_calls(follow->decoder);
        if (follow->options->head_read)
                r = follow->options->head_read();
        return r < 0 ? error_set_errno(error, r, "the stream cannot be decoded") : 0;
}

static int take_page(FollowStream *follow, unsigned cpu, const char *data, size_t size, Error *error) {
        uint64_t last = 0;
        int r = decoder_add_page(follow->decoder, cpu, data, size, &last);

        if (r == -EBADMSG)
                return damaged(error, "a page that is none");
        if (r < 0)
                return no_memory(error);
        if (last > follow->newest)
                follow->newest = last;
        follow->held += size;
        return 0;
}

static int take_lost(FollowStream *follow, unsigned cpu, const char *data, size_t size, Error *error) {
        StreamLost lost;

        if (size != sizeof(lost))
                return damaged(error, "a loss of another length");
        memcpy(&lost, data, sizeof(lost));
        follow->totals->lost_pages += lost.pages;
        follow->totals->lost_events += lost.events;
        decoder_add_lost(follow->decoder, cpu, lost.events);
        return 0;
}

static int take_comms(FollowStream *follow, const char *data, size_t size, Error *error) {
        CLEANUP_FREE char *copy = strndup(data, size);
        const char *text = copy, *comm;
        size_t length;
        pid_t pid;

        if (!copy)
                return no_memory(error);
        while (comm_line_next(&text, &pid, &comm, &length)) {
                CLEANUP_FREE char *name = strndup(comm, length);

                if (!name || decoder_set_comm(follow->decoder, pid, name) < 0)
                        return no_memory(error);
        }
        return 0;
}

static int take_sync(FollowStream *follow) {
        uint64_t limit = follow->newest_at_sync;

        follow->newest_at_sync = follow->newest;
        follow->held = 0;
        return print_up_to(follow, limit);
}

static int take_frame(FollowStream *follow, const StreamFrame *frame, const char *data, Error *error) {
        if (frame->type == STREAM_HEAD)
                return take_head(follow, data, frame->size, error);
        if (!follow->decoder)
                return damaged(error, "it has no head");
        switch (frame->type) {
        case STREAM_PAGE:
                return take_page(follow, frame->cpu, data, frame->size, error);
        case STREAM_LOST:
                return take_lost(follow, frame->cpu, data, frame->size, error);
        case STREAM_COMMS:
                return take_comms(follow, data, frame->size, error);
        case STREAM_SYNC:
                return take_sync(follow);
        default:
                return 0;
        }
}

static int take_frames(FollowStream *follow, Error *error) {
        StreamFrame frame;
        const void *data;
        int r;

        while (!follow->ended && (r = frame_buffer_next(&follow->frames, &frame, &data)) != 0) {
                if (r < 0)
                        return damaged(error, "a frame is too long");
                r = take_frame(follow, &frame, data, error);
                if (r >= 0 && follow->held > HELD_MAX)
                        r = take_sync(follow);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int timeout_msec(const FollowStream *follow) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC), left;

        if (follow->deadline == UINT64_MAX)
                return -1;
        if (now >= follow->deadline)
                return 0;
        left = (follow->deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
        return left < INT_MAX ? (int) left : INT_MAX;
}

/* 1: something came; 0: the stream has ended, or it is time to end. */
static int wait_and_read(FollowStream *follow, bool *ret_at_end) {
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = follow->signal_fd, .events = POLLIN },
                        { .fd = follow->out_fd },
                        { .fd = follow->fd, .events = POLLIN },
                };
                int timeout = timeout_msec(follow);

                if (timeout == 0)
                        return 0;
                if (poll(fds, ELEMENTSOF(fds), timeout) < 0) {
                        if (errno != EINTR)
                                return -errno;
                        continue;
                }
                if (fds[1].revents & POLLERR)
                        return -EPIPE;
                if (fds[0].revents != 0)
                        return 0;
                if (fds[2].revents != 0) {
                        int r = frame_buffer_read(&follow->frames, follow->fd);

                        decode_watch_stall(STALL_SECONDS);
                        *ret_at_end = r == 0;
                        return r;
                }
        }
}

static int follow_to_end(FollowStream *follow, Error *error) {
        bool at_end = false;
        int r = 0;

        while (!follow->ended) {
                r = wait_and_read(follow, &at_end);
                if (r > 0)
                        r = take_frames(follow, error);
                else if (r == 0)
                        break;
                if (r < 0)
                        return r;
        }
        /* What is held is in order but for what was about to come. */
        if (follow->decoder && !follow->ended) {
                r = print_up_to(follow, UINT64_MAX);
                if (r < 0)
                        return r;
        }
        if (at_end && frame_buffer_is_cut(&follow->frames))
                return error_set(error, ERROR_FAILED, "the stream was cut off");
        return 0;
}

static int begin(FollowStream *follow) {
        const ReportOptions *report = &follow->options->report;

        follow->head_fd = memfd_create("ktracectl-stream", MFD_CLOEXEC);
        if (follow->head_fd < 0)
                return -errno;
        follow->text_file = open_memstream(&follow->text, &follow->text_size);
        if (!follow->text_file)
                return -ENOMEM;
        render_text_init(&follow->render_text, follow->text_file, report->color, report->nanoseconds);
        render_json_init(&follow->render_json, follow->text_file, report->pretty);
        if (follow->options->duration > 0)
                follow->deadline = clock_usec(CLOCK_MONOTONIC) + follow->options->duration;
        return 0;
}

int follow_stream(const FollowOptions *options, int fd, int out_fd, int signal_fd, volatile FollowTotals *totals,
                  volatile DecodePhase *phase, Error *error) {
        CLEANUP(follow_clear)
        FollowStream follow = {
                .options = options,
                .fd = fd,
                .out_fd = out_fd,
                .signal_fd = signal_fd,
                .totals = totals,
                .phase = phase,
                .head_fd = -1,
                .deadline = UINT64_MAX,
        };
        int r;

        *phase = DECODE_READING;
        r = begin(&follow);
        if (r >= 0)
                r = follow_to_end(&follow, error);
        decode_watch_stall(0);
        if (r < 0 && r != -EPIPE)
                (void) error_set_errno(error, r, "cannot be followed");
        return r;
}
