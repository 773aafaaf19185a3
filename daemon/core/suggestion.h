/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Suggestion: the nearest of many names to one that does not exist, for messages.
 *
 * Life cycle: suggestion_init() with the name that was asked for; suggestion_consider() with each that
 * exists; suggestion_best(). Nothing to free. Names longer than SUGGESTION_LENGTH_MAX are passed over,
 * which bounds the cost of each step.
 */

#include <stddef.h>

#define SUGGESTION_LENGTH_MAX 80U

typedef struct Suggestion {
        const char *wanted; /* borrowed */
        size_t distance;    /* of the best so far; at first one more than what counts as near */
        char best[SUGGESTION_LENGTH_MAX + 1];
} Suggestion;

void suggestion_init(Suggestion *suggestion, const char *wanted);
void suggestion_consider(Suggestion *suggestion, const char *candidate);
/* NULL: nothing is near enough. */
const char *suggestion_best(const Suggestion *suggestion);
