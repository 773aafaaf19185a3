/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * WatchLimits: when watches have fired, so that their limits (core/rate-limit.h) hold over a restart of the session,
 * of the daemon and of the machine. A watch is known by its session's owner and name, and its own name. As text:
 *
 *   {"boot_id": "...", "watches": [{"owner": 0, "session": "web", "watch": "oom", "n": 3, "last": 12, "begun": 7,
 *    "last_realtime": 1795538687648289, "begun_realtime": 1795538682648289}, ...]}
 *
 * `last` and `begun` are of CLOCK_BOOTTIME, usec, and good for the boot in which they were written, whatever becomes
 * of the clock of the day. Another boot goes by the times of day: what would be in the future counts as of now, so
 * that a clock that was set back permits nothing before its time; one that was set forward does.
 *
 * Life cycle: zeroed, or watch_limits_parse(); watch_limits_set(); watch_limits_clear().
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "core/rate-limit.h"

/* Of all. From then on the oldest goes of the owner who has most. */
#define WATCH_LIMITS_MAX 1024U

/* The times of the limits are those of CLOCK_BOOTTIME with this added, so that there are some before the boot, usec.
 */
#define WATCH_CLOCK_BOOT (UINT64_C(1) << 60)

typedef struct WatchLimit {
        uid_t owner;
        char *session, *watch;
        RateLimit limit;         /* of which `interval` and `max` say nothing */
        uint64_t last_realtime;  /* usec, of limit.last */
        uint64_t begun_realtime; /* usec, of limit.begun */
} WatchLimit;

typedef struct WatchLimits {
        WatchLimit *limits;
        size_t n_limits;
} WatchLimits;

typedef struct WatchTime {
        const char *boot_id; /* of the boot that `clock` is of */
        uint64_t clock, realtime;
} WatchTime;

void watch_limits_clear(WatchLimits *limits);

/* NULL: it never fired, as far as is known. */
const WatchLimit *watch_limits_find(const WatchLimits *limits, uid_t owner, const char *session, const char *watch);
/* It fired just now, at `realtime`; `limit` is copied. */
int watch_limits_set(WatchLimits *limits, uid_t owner, const char *session, const char *watch, const RateLimit *limit,
                     uint64_t realtime);

int watch_limits_format(const WatchLimits *limits, const char *boot_id, char **ret);
/* ERROR_INVALID_ARGUMENT, with `origin` and what is wrong. */
int watch_limits_parse(const char *text, const char *origin, const WatchTime *now, Error *error, WatchLimits *ret);
