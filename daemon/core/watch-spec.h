/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * WatchSpec: a condition that a session waits for by itself, and what is done then. The spec's key "watches" has one
 * text for each:
 *
 *   NAME event=PATTERN [OPTION...] [if FILTER]          an event of the kernel, see event.h and filter.h
 *   NAME latency=SPAN from=EVENT to=EVENT match=FIELD[,FIELD] [OPTION...]
 *                                                       more than that from one event to the other of equal fields
 *   NAME pressure=cpu|memory|io some=SPAN|full=SPAN [window=SPAN] [unit=UNIT] [OPTION...]
 *                                                       tasks stalled so long within the window, in all or in a unit
 *   NAME unit=UNIT [on=failed|watchdog] [OPTION...]     a unit of systemd's fails, or its watchdog fires
 *   NAME journal=MESSAGE-ID [OPTION...]                 an entry of the system's journal
 *
 * The options are those of all kinds:
 *
 *   action=snapshot|stop|rotate|start:PROFILE           snapshot when it is not given
 *   after=SPAN                                          with action=snapshot: what is recorded past the moment
 *   interval=SPAN                                       at least so long from one time to the next; 1min
 *   daily=N                                             at most so often within 24 hours; 20
 *   reason=TEXT                                         for the capture's metadata and the journal
 *   optional=yes|no                                     yes: where it cannot be set up, the session starts without it
 *
 * A value with spaces stands in double quotes, in which '\' takes the next character as it is.
 *
 * Life cycle: watch_spec_parse(), watch_spec_clear().
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define WATCH_INTERVAL_MIN (10ULL * 1000) /* usec, as the following */
#define WATCH_INTERVAL_DEFAULT (60ULL * 1000000)
#define WATCH_DAILY_DEFAULT 20U
#define WATCH_DAILY_MAX 100000U
/* What the kernel takes (WINDOW_MIN_US, WINDOW_MAX_US, kernel/sched/psi.c, 5.15). Who has no CAP_SYS_RESOURCE, may
 * since 6.5 ask for multiples of two seconds. */
#define WATCH_WINDOW_MIN (500ULL * 1000)
#define WATCH_WINDOW_MAX (10ULL * 1000000)
#define WATCH_WINDOW_DEFAULT (2ULL * 1000000)
#define WATCH_AFTER_MAX (3600ULL * 1000000)
#define WATCH_LATENCY_MAX (3600ULL * 1000000)
#define WATCH_REASON_LENGTH 128U /* bytes */
#define WATCH_NAME_LENGTH 32U

typedef enum WatchKind {
        WATCH_EVENT,
        WATCH_LATENCY,
        WATCH_PRESSURE,
        WATCH_UNIT,
        WATCH_JOURNAL,
        _WATCH_KIND_MAX,
} WatchKind;

typedef enum WatchAction {
        WATCH_SNAPSHOT,
        WATCH_STOP,
        WATCH_ROTATE,
        WATCH_START,
        _WATCH_ACTION_MAX,
} WatchAction;

typedef struct WatchSpec {
        char *name;
        WatchKind kind;
        char *what;   /* pattern, "cpu", unit, message id; of a latency the span as it was given */
        char *filter; /* NULL: none */

        WatchAction action;
        char *profile; /* of WATCH_START */
        uint64_t after, interval;
        uint64_t daily;
        char *reason; /* NULL: none was given */
        bool optional;

        uint64_t threshold; /* usec, of latency and pressure */
        uint64_t window;
        bool full;     /* all tasks stalled, not some */
        char *unit;    /* whose pressure; NULL: the system's */
        bool watchdog; /* of a unit: not every failure */
        char *from, *to;
        char *match_from, *match_to; /* fields */
} WatchSpec;

/* ERROR_INVALID_ARGUMENT: a sentence, then the text and, on a line of its own, '^' below the position. */
int watch_spec_parse(const char *text, Error *error, WatchSpec *ret);
void watch_spec_clear(WatchSpec *watch);

/* For the table of the spec's keys. */
int watch_check(const char *text, Error *error);
/* No two have the same name; and what each does suits a session that is a ring, or is not. */
int watches_check(char *const *watches, bool ring, Error *error);
/* Does one of them need a synthetic event? */
bool watches_define_events(char *const *watches);

const char *watch_kind_to_string(WatchKind kind);
const char *watch_action_to_string(WatchAction action);
