/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RateLimit: how often something is permitted: not before `interval` has passed since the last time, and at most
 * `max` times within RATE_LIMIT_DAY from the first of them. Times are those of any clock that does not go back, in
 * usec.
 *
 * Life cycle: plain data; `interval` and `max` are set, the rest is 0.
 */

#include <stdint.h>

#define RATE_LIMIT_DAY (24ULL * 3600 * 1000000)

typedef struct RateLimit {
        uint64_t interval;
        uint64_t max;
        uint64_t last;  /* when it was taken; 0: never */
        uint64_t begun; /* when the day began */
        uint64_t n;     /* how often it was taken since then */
} RateLimit;

/* When it is permitted next: `now` when it is. */
uint64_t rate_limit_next(const RateLimit *limit, uint64_t now);
/* `now` is one of those times, and not 0. */
void rate_limit_take(RateLimit *limit, uint64_t now);
