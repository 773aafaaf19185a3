/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/ring-keeper.h"

#include <errno.h>
#include <string.h>

#include "core/parse.h"
#include "ktraced/clock.h"
#include "model/manager.h"
#include "model/snapshot-list.h"
#include "model/source.h"

/* After a snapshot the size stays for so long, usec. */
#define QUIET_AFTER_SNAPSHOT UINT64_C(10000000)

static void arm(RingKeeper *keeper, uint64_t delay) {
        int r = sd_event_source_set_time_relative(keeper->timer, delay);

        if (r >= 0)
                r = sd_event_source_set_enabled(keeper->timer, SD_EVENT_ONESHOT);
        if (r < 0)
                manager_notice(keeper->session->manager, LOG_ERR, keeper->session, NULL,
                               "Cannot watch the ring any more: its size stays");
}

static void arm_next(RingKeeper *keeper) {
        keeper->interval = ring_window_interval(&keeper->window, keeper->interval);
        arm(keeper, keeper->interval);
}

static bool must_wait(const RingKeeper *keeper) {
        return !LIST_EMPTY(&keeper->session->snapshots) || clock_usec(CLOCK_MONOTONIC) < keeper->quiet_until;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        RingKeeper *keeper = userdata;

        if (must_wait(keeper) || pump_measure(keeper->session->source->pump, RING_KEEPER_TAG) < 0)
                arm(keeper, QUIET_AFTER_SNAPSHOT);
        return 0;
}

int ring_keeper_new(Session *session, RingKeeper **ret) {
        CLEANUP(ring_keeper_freep) RingKeeper *keeper = NULL;
        const Instance *instance = session->source->instance;
        const Spec *spec = session->spec;
        int r;

        if (spec->window == 0) {
                *ret = NULL;
                return 0;
        }
        keeper = calloc(1, sizeof(*keeper));
        if (!keeper)
                return -ENOMEM;
        keeper->session = session;
        keeper->measured = clock_usec(CLOCK_MONOTONIC);
        keeper->window = (RingWindow){
                .window = spec->window,
                .least = spec->buffer_size,
                .most = spec->ring_size / instance_cpus(instance)->n_cpus,
        };
        keeper->interval = ring_window_interval(&keeper->window, 0);
        r = sd_event_add_time_relative(session->manager->event, &keeper->timer, CLOCK_MONOTONIC, keeper->interval, 0,
                                       on_time, keeper);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(keeper);
        return 0;
}

void ring_keeper_free(RingKeeper *keeper) {
        if (!keeper)
                return;
        sd_event_source_disable_unref(keeper->timer);
        free(keeper);
}

static void tell_short(RingKeeper *keeper) {
        char wanted[64], reached[64], size[16];

        if (!keeper->window.is_short) {
                keeper->told = false;
                return;
        }
        if (keeper->told)
                return;
        keeper->told = true;
        manager_notice(keeper->session->manager, LOG_WARNING, keeper->session, NULL,
                       "The ring cannot reach back %s: all of the %s that it may have reach back %s",
                       format_span(keeper->window.window, wanted, sizeof(wanted)),
                       format_size(keeper->session->ring.capacity, size, sizeof(size)),
                       format_span(keeper->session->ring.reach, reached, sizeof(reached)));
}

/* Takes the memory before it asks for more; what is given back becomes free when it has been. */
static int resize(RingKeeper *keeper, uint64_t size) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Session *session = keeper->session;
        Source *source = session->source;
        int r = 0;

        if (size > instance_buffer_size(source->instance))
                r = source_reserve(source, size, &error);
        if (r >= 0)
                r = pump_resize(source->pump, size);
        if (r >= 0)
                return 0;
        keeper->window.is_short = true;
        if (!keeper->told)
                manager_notice(session->manager, LOG_WARNING, session, NULL, "The ring cannot grow: %s",
                               error.code == ERROR_NONE ? "out of memory" : error_text(&error));
        keeper->told = true;
        return r;
}

void ring_keeper_measured(RingKeeper *keeper, const PumpReport *report) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC), size, wanted;

        if (report->r < 0) {
                arm_next(keeper);
                return;
        }
        size = instance_buffer_size(keeper->session->source->instance);
        wanted = ring_window_decide(&keeper->window, &report->measure, size, now - keeper->measured);
        keeper->measured = now;
        tell_short(keeper);
        /* A snapshot came in between. */
        if (wanted == size || must_wait(keeper) || resize(keeper, wanted) < 0)
                arm_next(keeper);
}

static void keep_gap(RingKeeper *keeper, const RecordingGap *gap) {
        if (gap->start_realtime == 0)
                return;
        if (keeper->n_gaps == RING_KEEPER_GAPS_MAX) {
                keeper->n_gaps--;
                memmove(keeper->gaps, keeper->gaps + 1, keeper->n_gaps * sizeof(keeper->gaps[0]));
        }
        keeper->gaps[keeper->n_gaps++] = *gap;
}

void ring_keeper_resized(RingKeeper *keeper, const PumpReport *report) {
        Session *session = keeper->session;
        uint64_t size = instance_buffer_size(session->source->instance);
        char text[16];

        source_settle(session->source, size);
        keep_gap(keeper, &report->gap);
        if (report->r < 0) {
                /* The kernel has no memory for it, or another tool uses the buffer: that may pass. */
                manager_notice(session->manager, LOG_WARNING, session, NULL, "The size of the ring stays: %s",
                               error_text(&report->error));
                arm_next(keeper);
                return;
        }
        keeper->n_resized++;
        keeper->interval = 0;
        manager_notice(session->manager, LOG_INFO, session, NULL,
                       "The ring has %s for each CPU now; nothing was recorded for %llu ms",
                       format_size(size, text, sizeof(text)), (unsigned long long) (report->gap.gap_usec / 1000));
        arm_next(keeper);
}

void ring_keeper_snapshot_taken(RingKeeper *keeper) {
        keeper->quiet_until = clock_usec(CLOCK_MONOTONIC) + QUIET_AFTER_SNAPSHOT;
}
