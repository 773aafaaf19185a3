/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The time of a clock as one number.
 */

#include <stdint.h>
#include <time.h>

/* Microseconds. */
static inline uint64_t clock_usec(clockid_t clock) {
        struct timespec now;

        /* Fails only for a clock that does not exist. */
        (void) clock_gettime(clock, &now);
        return (uint64_t) now.tv_sec * 1000000U + (uint64_t) now.tv_nsec / 1000U;
}
