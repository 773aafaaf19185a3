/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/event-counter.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "capture/page-events.h"
#include "ktraced/clock.h"

/* Between two looks at the buffers. */
#define LOOK_MSEC 10

#define BUFFER_SIZE_ALL (64ULL << 20)
#define BUFFER_SIZE_MAX (1ULL << 20)

typedef struct CounterCpu {
        int raw, stats;
        uint64_t lost;    /* as the kernel counts them, at the last look */
        uint64_t pending; /* of these, since when nothing was seen that would say what they were */
} CounterCpu;

typedef struct EventCounter {
        CounterCpu *cpus;
        size_t n_cpus;
        size_t page_size, pages_max;
        void *page;
        uint32_t *seen;                    /* by type: on one CPU in one look */
        uint64_t *counted, *lost;          /* by type, in all */
        size_t n_types;                    /* from 0, of those that somebody asks about */
        uint64_t n_counted, n_lost, bytes; /* in all; bytes without what was lost */
} EventCounter;

uint64_t event_counter_buffer_size(size_t n_cpus) {
        uint64_t size = BUFFER_SIZE_ALL / (n_cpus > 0 ? n_cpus : 1);

        if (size > BUFFER_SIZE_MAX)
                return BUFFER_SIZE_MAX;
        return size < SPEC_BUFFER_SIZE_MIN ? SPEC_BUFFER_SIZE_MIN : size;
}

static void counter_clear(EventCounter *counter) {
        for (size_t i = 0; counter->cpus && i < counter->n_cpus; i++) {
                closep(&counter->cpus[i].raw);
                closep(&counter->cpus[i].stats);
        }
        free(counter->cpus);
        free(counter->page);
        free(counter->seen);
        free(counter->counted);
        free(counter->lost);
}

static int open_cpus(EventCounter *counter, Instance *instance) {
        const CpuList *cpus = instance_cpus(instance);

        counter->cpus = calloc(cpus->n_cpus, sizeof(counter->cpus[0]));
        if (!counter->cpus)
                return -ENOMEM;
        counter->n_cpus = cpus->n_cpus;
        for (size_t i = 0; i < counter->n_cpus; i++)
                counter->cpus[i].raw = counter->cpus[i].stats = -1;
        for (size_t i = 0; i < counter->n_cpus; i++) {
                CounterCpu *cpu = &counter->cpus[i];
                BufferStats stats;
                int r = instance_open_raw(instance, cpus->cpus[i], &cpu->raw);

                if (r >= 0)
                        r = instance_open_stats(instance, cpus->cpus[i], &cpu->stats);
                if (r >= 0)
                        r = instance_read_stats(cpu->stats, &stats);
                if (r < 0)
                        return r;
                cpu->lost = buffer_stats_lost(&stats);
        }
        return 0;
}

static int counter_init(EventCounter *counter, Instance *instance, const EventRates *rates) {
        for (size_t i = 0; i < rates->n_rates; i++)
                if (rates->rates[i].id >= counter->n_types && rates->rates[i].id < PAGE_EVENT_TYPES)
                        counter->n_types = rates->rates[i].id + 1;
        if (counter->n_types == 0)
                counter->n_types = 1;
        counter->page_size = instance_page_size(instance);
        /* Those of the buffer, and the one that is being read. */
        counter->pages_max = instance_buffer_size(instance) / counter->page_size + 1;
        counter->page = malloc(counter->page_size);
        counter->seen = calloc(PAGE_EVENT_TYPES, sizeof(counter->seen[0]));
        counter->counted = calloc(counter->n_types, sizeof(counter->counted[0]));
        counter->lost = calloc(counter->n_types, sizeof(counter->lost[0]));
        if (!counter->page || !counter->seen || !counter->counted || !counter->lost)
                return -ENOMEM;
        return open_cpus(counter, instance);
}

/* A page at a time, also pages that are not full. At most what a buffer holds, or a CPU that records as fast as it is
 * read would never be left. */
static int read_pages(EventCounter *counter, const CounterCpu *cpu, uint64_t *ret) {
        uint64_t n_seen = 0;

        for (size_t i = 0; i < counter->pages_max; i++) {
                ssize_t size = read(cpu->raw, counter->page, counter->page_size);
                uint64_t n, bytes;
                int r;

                if (size == 0 || (size < 0 && (errno == EAGAIN || errno == EINTR)))
                        break;
                if (size < 0)
                        return -errno;
                r = page_events_count_types(counter->page, counter->page_size, counter->seen, &n, &bytes);
                if (r < 0)
                        return r;
                n_seen += n;
                counter->bytes += bytes;
        }
        *ret = n_seen;
        return 0;
}

static int look_at_cpu(EventCounter *counter, CounterCpu *cpu) {
        BufferStats stats;
        uint64_t n_seen = 0, lost;
        int r = read_pages(counter, cpu, &n_seen);

        if (r >= 0)
                r = instance_read_stats(cpu->stats, &stats);
        if (r < 0)
                return r;
        lost = buffer_stats_lost(&stats);
        cpu->pending += lost - cpu->lost;
        cpu->lost = lost;
        if (n_seen == 0)
                return 0;
        for (size_t type = 0; type < counter->n_types; type++) {
                if (counter->seen[type] == 0)
                        continue;
                counter->counted[type] += counter->seen[type];
                counter->lost[type] += cpu->pending * counter->seen[type] / n_seen;
                counter->seen[type] = 0;
        }
        counter->n_counted += n_seen;
        counter->n_lost += cpu->pending;
        cpu->pending = 0;
        return 0;
}

static int look(EventCounter *counter) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < counter->n_cpus; i++)
                r = look_at_cpu(counter, &counter->cpus[i]);
        return r;
}

/* 1 when it is cancelled. */
static int pause_until(uint64_t end, int cancel_fd) {
        struct pollfd fd = { .fd = cancel_fd, .events = POLLIN };
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        int msec = end > now && (end - now) / 1000 < LOOK_MSEC ? (int) ((end - now) / 1000) + 1 : LOOK_MSEC;

        return poll(&fd, 1, msec) > 0 && fd.revents != 0;
}

static int count(EventCounter *counter, Instance *instance, uint64_t duration, int cancel_fd, Error *error,
                 uint64_t *ret_duration) {
        uint64_t begin, end;
        int r, off;

        r = instance_set_tracing(instance, true, error);
        if (r < 0)
                return r;
        begin = end = clock_usec(CLOCK_MONOTONIC);
        while (r >= 0 && end - begin < duration) {
                r = pause_until(begin + duration, cancel_fd) ? -ECANCELED : look(counter);
                end = clock_usec(CLOCK_MONOTONIC);
        }
        off = instance_set_tracing(instance, false, r < 0 ? NULL : error);
        end = clock_usec(CLOCK_MONOTONIC);
        if (r >= 0)
                r = off;
        if (r >= 0)
                r = look(counter);
        if (r == -ECANCELED)
                return error_set(error, ERROR_CANCELLED, "The measurement was cancelled");
        if (r < 0)
                return error_set_errno(error, r, "Cannot count the events of %s", instance_name(instance));
        *ret_duration = end - begin;
        return 0;
}

static void fill_in(const EventCounter *counter, uint64_t duration, EventRates *rates) {
        uint64_t missed = counter->n_lost;

        for (size_t i = 0; i < counter->n_cpus; i++)
                missed += counter->cpus[i].pending;
        for (size_t i = 0; i < rates->n_rates; i++) {
                EventRate *rate = &rates->rates[i];

                if (rate->id >= counter->n_types)
                        continue;
                rate->counted = counter->counted[rate->id];
                rate->missed = counter->lost[rate->id];
        }
        rates->duration = duration;
        rates->events = counter->n_counted + missed;
        rates->missed = missed;
        rates->bytes = counter->bytes;
        if (counter->n_counted > 0)
                rates->bytes += missed * (counter->bytes / counter->n_counted);
}

int event_counter_run(Instance *instance, uint64_t duration, int cancel_fd, Error *error, EventRates *rates) {
        CLEANUP(counter_clear) EventCounter counter = { 0 };
        uint64_t measured = 0;
        int r = counter_init(&counter, instance, rates);

        if (r < 0)
                return error_set_errno(error, r, "Cannot read the buffers of %s", instance_name(instance));
        r = count(&counter, instance, duration, cancel_fd, error, &measured);
        if (r >= 0)
                fill_in(&counter, measured, rates);
        return r;
}
