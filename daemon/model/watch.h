/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Watch: waits for a condition while a session runs, and does by itself what its spec says (core/watch-spec.h). What
 * it waits for is its kind's matter: a file watch-KIND.c for each, with a WatchOps. Used by the model only.
 *
 * Life cycle: the session begins its run: watches_start() -> each kind's start(), which ends with watch_started() ->
 * the run goes on -> active: watches_arm() -> watch_fire(), as often as the limit permits -> the run is over:
 * watches_stop() -> the kind's stop(), which ends with watch_free().
 *
 * What can block (tracefs, the journal) runs on a worker of its own, so that what happens is fixed at once, whatever
 * else is being set up.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "core/rate-limit.h"
#include "core/watch-spec.h"
#include "model/manager.h"

typedef struct WatchOps {
        /* Whether this kernel has what is looked for; for the kernel worker. NULL: that is not known before.
         * *tells_of_memory: see watches_look(). */
        int (*look)(const WatchSpec *spec, Error *error, bool *tells_of_memory);
        /* Begins to set it up; watch_started() follows, possibly from within. */
        void (*start)(Watch *watch);
        /* Begins to notice. `held`: what has happened so far is to be dropped, since it was not permitted. */
        void (*arm)(Watch *watch, bool held);
        /* Ends it, from any state but starting; watch_free() follows, possibly from within. */
        void (*stop)(Watch *watch);
        /* Frees watch->data, waiting for what has to be waited for: at the end of the daemon. May be NULL. */
        void (*free)(void *data);
} WatchOps;

struct Watch {
        LIST_ENTRY(Watch) watches; /* of the manager */
        Manager *manager;
        Session *session; /* NULL: the run is over, and it is ending */
        const WatchOps *ops;
        WatchSpec spec;
        char *id;   /* names its kernel instance: that of the session, "w", and its place among the watches */
        void *data; /* the kind's */
        bool starting;
        char *absent;           /* why this run does without it, which is optional; NULL: it does not */
        sd_event_source *timer; /* until it is permitted again; NULL: it is */
        RateLimit limit;
        uint64_t n_fired;
        uint64_t n_suppressed; /* what was noticed while it was not permitted */
        uint64_t fired;        /* the last time, CLOCK_REALTIME, usec, also before this run; 0: never */
        char *seen;            /* the last time, in the words of whoever said it; NULL: nothing is known */
};

extern const WatchOps watch_event_ops, watch_pressure_ops, watch_unit_ops, watch_journal_ops;

/* From the kinds. `error` is borrowed. A failure is that of the session's start, unless the watch is optional. */
void watch_started(Watch *watch, int r, const Error *error);
/* It has happened: does what is to be done, if that is permitted. False: it was not. */
bool watch_fire(Watch *watch);
/* Keeps a text for watch->seen, taken over; NULL changes nothing. */
void watch_set_seen(Watch *watch, char *text);
/* One whose session has ended. */
void watch_free(Watch *watch);
/* For jobs of this watch. -ENOMEM and the like: there is no worker. */
int watch_worker(Watch *watch, Worker **ret);

/* When it is permitted next, CLOCK_REALTIME, usec; 0: it is. */
uint64_t watch_next(const Watch *watch);
/* Does the action. `reason` is borrowed. */
void watch_act(Watch *watch, const char *reason);
/* At the end of the daemon: forgets the sessions that are about to be started. */
void watch_starts_free(Manager *manager);
