/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Points in time as a user writes them. */

#include <stdint.h>

/* "2026-11-24", "2026-11-24 13:05", "2026-11-24 13:05:06" in local time, or a span of time before `now`, "2h". `now`
 * and *ret: usec since the epoch. -EINVAL; -ERANGE for a time before the epoch. */
int when_parse(const char *text, uint64_t now, uint64_t *ret);
