/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/suggestion.h"

#include <string.h>

static size_t min(size_t a, size_t b) {
        return a < b ? a : b;
}

/* Levenshtein's distance of two strings of at most SUGGESTION_LENGTH_MAX characters, or `limit` when it is
 * not below that. */
static size_t edit_distance(const char *a, const char *b, size_t limit) {
        size_t row[SUGGESTION_LENGTH_MAX + 1], length_a = strlen(a), length_b = strlen(b);

        if ((length_a > length_b ? length_a - length_b : length_b - length_a) >= limit)
                return limit;
        for (size_t j = 0; j <= length_b; j++)
                row[j] = j;
        for (size_t i = 1; i <= length_a; i++) {
                size_t diagonal = row[0], least;

                row[0] = least = i;
                for (size_t j = 1; j <= length_b; j++) {
                        size_t above = row[j];

                        row[j] = min(min(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
                        diagonal = above;
                        least = min(least, row[j]);
                }
                if (least >= limit)
                        return limit;
        }
        return min(row[length_b], limit);
}

void suggestion_init(Suggestion *suggestion, const char *wanted) {
        const char *end = strrchr(wanted, '.');
        size_t length = end ? (size_t) (end - wanted) : strlen(wanted);

        /*
         * About a third of the letters may be wrong: two of five, since swapping two counts as two. The kind of a
         * unit, at the end, is no proof of likeness: all services have it. Their own part is short, and two letters
         * may be swapped in it.
         */
        if (end && length < 5)
                length = 5;
        *suggestion = (Suggestion){ .wanted = wanted, .distance = (length + 1) / 3 + 1 };
        if (strlen(wanted) > SUGGESTION_LENGTH_MAX)
                suggestion->distance = 0;
}

void suggestion_consider(Suggestion *suggestion, const char *candidate) {
        size_t distance, length = strlen(candidate);

        if (suggestion->distance == 0 || length > SUGGESTION_LENGTH_MAX)
                return;
        distance = edit_distance(suggestion->wanted, candidate, suggestion->distance);
        if (distance >= suggestion->distance)
                return;
        suggestion->distance = distance;
        memcpy(suggestion->best, candidate, length + 1);
}

const char *suggestion_best(const Suggestion *suggestion) {
        return suggestion->best[0] != '\0' ? suggestion->best : NULL;
}
