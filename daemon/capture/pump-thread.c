/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include "capture/pump-private.h"
#include "ktraced/clock.h"

#define CHECKPOINT_INTERVAL UINT64_C(1000000) /* usec */

/* Pages in flight: the most that the kernel gives without privileges (pipe(7), /proc/sys/fs/pipe-max-size).
 * From 64 KiB to 1 MiB the time for each byte falls by a quarter. */
#define PIPE_SIZE ((size_t) 1 << 20)

/* The CPUs are looked at this often when poll(2) does not report them: rarely, unless that finds a buffer so
 * full that poll(2) should have, which is how kernels before 6.1.86, 6.6.27 and 6.9 can behave. */
#define DRAIN_INTERVAL_MIN UINT64_C(5000)
#define DRAIN_INTERVAL_MAX CHECKPOINT_INTERVAL
#define DRAIN_INTERVAL_FIRST UINT64_C(100000)

/* A descriptor that is readable while it gives no whole page (buffer_percent is 0) would make a busy loop. */
#define POLL_PAUSE UINT64_C(20000)

/* While somebody looks on. */
#define STREAM_INTERVAL UINT64_C(100000)

typedef struct PumpLoop {
        uint64_t next_checkpoint, next_drain, next_stream, drain_interval;
        uint64_t polls_paused_until;
        bool more; /* the last round left full pages behind */
} PumpLoop;

void *pump_closer_thread(void *userdata) {
        Pump *pump = userdata;
        struct pollfd fd = { .fd = mailbox_fd(pump->jobs), .events = POLLIN };

        (void) pthread_setname_np(pthread_self(), "ktraced-close");
        for (;;) {
                MailboxItem *item = mailbox_take(pump->jobs);
                ClosingSegment *closing = (ClosingSegment *) item;

                if (!item) {
                        (void) poll(&fd, 1, -1);
                        continue;
                }
                if (!closing->segment) {
                        closing_segment_free(closing);
                        return NULL;
                }
                (void) closing_segment_run(closing);
                mailbox_post(pump->closed, &closing->item);
        }
}

/* The kernel's limit for users without privileges may be lower; a smaller pipe is slower, not wrong. */
static int open_pipe(Pump *pump, int ret[2]) {
        size_t wanted = PIPE_SIZE > 4 * pump->page_size ? PIPE_SIZE : 4 * pump->page_size;
        int size;

        if (pipe2(ret, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        (void) fcntl(ret[1], F_SETPIPE_SZ, (int) wanted);
        size = fcntl(ret[1], F_GETPIPE_SZ);
        if (size < 0)
                return -errno;
        if ((size_t) size < pump->page_size)
                return -ENOBUFS;
        if (pump->pipe_size == 0 || (size_t) size < pump->pipe_size)
                pump->pipe_size = (size_t) size / pump->page_size * pump->page_size;
        return 0;
}

int pump_open_copy(Pump *pump) {
        return pump->copy[0] >= 0 ? 0 : open_pipe(pump, pump->copy);
}

static int open_cpus(Pump *pump) {
        const CpuList *cpus = instance_cpus(pump->instance);

        pump->raw_fds = calloc(cpus->n_cpus, sizeof(pump->raw_fds[0]));
        pump->stats_fds = calloc(cpus->n_cpus, sizeof(pump->stats_fds[0]));
        pump->stats = calloc(cpus->n_cpus, sizeof(pump->stats[0]));
        if (!pump->raw_fds || !pump->stats_fds || !pump->stats)
                return -ENOMEM;

        pump->n_cpus = cpus->n_cpus;
        for (size_t i = 0; i < cpus->n_cpus; i++) {
                int r;

                r = instance_open_raw(pump->instance, cpus->cpus[i], &pump->raw_fds[i]);
                if (r < 0)
                        return r;
                r = instance_open_stats(pump->instance, cpus->cpus[i], &pump->stats_fds[i]);
                if (r < 0) {
                        (void) close(pump->raw_fds[i]);
                        return r;
                }
                pump->n_open++;
        }
        return 0;
}

static int setup(Pump *pump) {
        int r;

        for (size_t i = 0; i < 2; i++)
                pump->fds[i].events = POLLIN;
        pump->fds[0].fd = mailbox_fd(pump->commands);
        pump->fds[1].fd = mailbox_fd(pump->closed);

        if (getrandom(&pump->trace_id, sizeof(pump->trace_id), 0) < 0)
                return -errno;
        pump->page_size = instance_page_size(pump->instance);
        pump->page = malloc(pump->page_size);
        if (!pump->page)
                return -ENOMEM;
        r = open_pipe(pump, pump->pipe);
        if (r < 0)
                return r;
        r = open_cpus(pump);
        if (r < 0)
                return r;

        if (instance_is_limited(pump->instance)) {
                r = reuse_guard_new(pump->instance, &pump->setup_error, &pump->guard);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < pump->n_cpus; i++)
                pump->fds[2 + i] = (struct pollfd){ .fd = pump->raw_fds[i], .events = POLLIN };
        return 0;
}

/* Every descriptor below the tracing directory is closed afterwards, so that the instance can go. */
static void tear_down(Pump *pump) {
        for (size_t i = 0; i < pump->n_open; i++) {
                (void) close(pump->raw_fds[i]);
                (void) close(pump->stats_fds[i]);
        }
        for (size_t i = 0; i < 2; i++) {
                closep(&pump->pipe[i]);
                closep(&pump->copy[i]);
        }
        reuse_guard_free(pump->guard);
        free(pump->raw_fds);
        free(pump->stats_fds);
        free(pump->stats);
        free(pump->page);
}

/* One batch from each CPU that has something, in turn, so that no buffer waits for another to be emptied. */
static void drain_round(Pump *pump, PumpLoop *loop) {
        uint64_t most = 0, buffer = instance_buffer_size(pump->instance);
        bool timed = clock_usec(CLOCK_MONOTONIC) >= loop->next_drain, all = timed || loop->more, moved = false,
             ready = false;

        loop->more = false;
        for (size_t i = 0; i < pump->n_cpus && pump->n_active > 0; i++) {
                struct pollfd *fd = &pump->fds[2 + i];
                size_t n;

                if (fd->revents & POLLIN)
                        ready = true;
                if (!all && !(fd->revents & POLLIN))
                        continue;
                n = pump_drain(pump, i);
                if (n > 0)
                        moved = true;
                if (n > most)
                        most = n;
                if (n == pump->pipe_size)
                        loop->more = true;
        }

        if (ready && !moved)
                loop->polls_paused_until = clock_usec(CLOCK_MONOTONIC) + POLL_PAUSE;
        if (timed) {
                /* A whole batch may be only the beginning of a buffer that is full. */
                bool late = !ready && (most >= buffer / 2 || most == pump->pipe_size);

                loop->drain_interval = late ? loop->drain_interval / 2 : loop->drain_interval * 2;
                if (loop->drain_interval < DRAIN_INTERVAL_MIN)
                        loop->drain_interval = DRAIN_INTERVAL_MIN;
                if (loop->drain_interval > DRAIN_INTERVAL_MAX)
                        loop->drain_interval = DRAIN_INTERVAL_MAX;
                loop->next_drain = clock_usec(CLOCK_MONOTONIC) + loop->drain_interval;
        }
}

static int timeout_msec(const Pump *pump, const PumpLoop *loop, uint64_t now) {
        uint64_t next = loop->next_checkpoint < loop->next_drain ? loop->next_checkpoint : loop->next_drain;

        if (pump->n_active == 0)
                return -1;
        if (!TAILQ_EMPTY(&pump->streams) && next > loop->next_stream)
                next = loop->next_stream;
        if (pump->guard && next > now + reuse_guard_interval(pump->guard))
                next = now + reuse_guard_interval(pump->guard);
        if (!pump_closer_has_room(pump))
                return (int) ((pump->guard ? reuse_guard_interval(pump->guard) : CHECKPOINT_INTERVAL) / 1000);
        if (loop->more || next <= now)
                return 0;
        return (int) ((next - now + 999) / 1000);
}

static void take_messages(Pump *pump) {
        MailboxItem *item;

        while ((item = mailbox_take(pump->closed)))
                pump_handle_closed(pump, (ClosingSegment *) item);
        while ((item = mailbox_take(pump->commands))) {
                pump_handle_command(pump, (PumpCommand *) item);
                item->free(item);
        }
}

static void run_once(Pump *pump, PumpLoop *loop) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        bool poll_cpus = pump->n_active > 0 && now >= loop->polls_paused_until && pump_closer_has_room(pump);

        for (size_t i = 0; i < 2 + pump->n_cpus; i++)
                pump->fds[i].revents = 0;
        (void) poll(pump->fds, 2 + (poll_cpus ? pump->n_cpus : 0), timeout_msec(pump, loop, now));

        take_messages(pump);
        if (pump->n_active > 0)
                (void) pump_may_deliver(pump);
        if (pump_closer_has_room(pump)) {
                drain_round(pump, loop);
                if (!TAILQ_EMPTY(&pump->streams) && clock_usec(CLOCK_MONOTONIC) >= loop->next_stream) {
                        pump_tick_streams(pump);
                        loop->next_stream = clock_usec(CLOCK_MONOTONIC) + STREAM_INTERVAL;
                }
                pump_rotate_old(pump);
        }
        pump_reap(pump);
        if (clock_usec(CLOCK_MONOTONIC) >= loop->next_checkpoint) {
                pump_checkpoint(pump);
                loop->next_checkpoint = clock_usec(CLOCK_MONOTONIC) + CHECKPOINT_INTERVAL;
        }
}

void *pump_thread(void *userdata) {
        Pump *pump = userdata;
        PumpReport *finished = STEAL_PTR(pump->finished);
        PumpLoop loop = { .drain_interval = DRAIN_INTERVAL_FIRST };

        (void) pthread_setname_np(pthread_self(), "ktraced-pump");
        pump->pipe[0] = pump->pipe[1] = pump->copy[0] = pump->copy[1] = -1;

        pump->setup = setup(pump);
        if (pump->setup < 0)
                (void) error_set_errno(&pump->setup_error, pump->setup, "Failed to open the trace buffers of %s",
                                       instance_name(pump->instance));

        if (pump->ring)
                pump_begin_ring(pump);

        while (!pump->stopping || !TAILQ_EMPTY(&pump->sinks))
                run_once(pump, &loop);

        mailbox_post(pump->jobs, &STEAL_PTR(pump->last_job)->item);
        (void) pthread_join(pump->closer, NULL);
        tear_down(pump);
        /* From here on the other side may free the pump. */
        mailbox_post(pump->reports, &finished->item);
        return NULL;
}
