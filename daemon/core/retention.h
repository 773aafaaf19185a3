/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Retention: which captures make room for new ones. Pure: what there is and the limits in, what is to go out.
 *
 * The oldest go first: those that are too old; then those of users who have more than each may; then, while all
 * together are too many, too large or leave too little free, those of the user who takes most. So nobody loses
 * captures because of another who takes more. What is pinned or being written stays, and so does the newest that is
 * complete, unless it is too old: what was just made is not what makes room.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct RetentionItem {
        uid_t owner;
        uint64_t bytes;
        uint64_t end; /* realtime, usec */
        bool kept;    /* pinned, or being written: counts, but stays */
        bool chosen;  /* out: to be deleted */
} RetentionItem;

/* 0 is no limit, in each. */
typedef struct RetentionLimits {
        uint64_t max_use, max_use_per_user; /* bytes */
        uint64_t max_files;                 /* captures */
        uint64_t max_age;                   /* usec */
        uint64_t to_free;                   /* bytes that the file system lacks */
} RetentionLimits;

/* Sets `chosen`. `now`: realtime, usec. */
void retention_choose(RetentionItem *items, size_t n, const RetentionLimits *limits, uint64_t now);
