/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/buffer-stats.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/cleanup.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_DIGITS 6

typedef struct StatsLine {
        const char *label;
        size_t offset;
        bool is_time;
} StatsLine;

static const StatsLine stats_lines[] = {
        { "entries", offsetof(BufferStats, entries), false },
        { "overrun", offsetof(BufferStats, overrun), false },
        { "commit overrun", offsetof(BufferStats, commit_overrun), false },
        { "bytes", offsetof(BufferStats, bytes), false },
        { "oldest event ts", offsetof(BufferStats, oldest), true },
        { "now ts", offsetof(BufferStats, now), true },
        { "dropped events", offsetof(BufferStats, dropped), false },
        { "read events", offsetof(BufferStats, read_events), false },
};

static int read_number(const char *s, const char *end, const char **ret_end, uint64_t *ret) {
        unsigned long long value;
        char *stop;

        if (s == end || *s < '0' || *s > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(s, &stop, 10);
        if (errno != 0)
                return -EINVAL;
        *ret_end = stop;
        *ret = value;
        return 0;
}

/* "12.000345", seconds, as usec; a number without a point is of a clock that does not count in time: 0. */
static int read_time(const char *s, const char *end, uint64_t *ret) {
        uint64_t seconds, fraction;
        const char *point, *stop;
        int r = read_number(s, end, &point, &seconds);

        if (r < 0)
                return r;
        if (point == end) {
                *ret = 0;
                return 0;
        }
        if (*point != '.' || end - point != 1 + USEC_DIGITS || seconds >= UINT64_MAX / USEC_PER_SEC)
                return -EINVAL;
        r = read_number(point + 1, end, &stop, &fraction);
        if (r < 0 || stop != end)
                return -EINVAL;
        *ret = seconds * USEC_PER_SEC + fraction;
        return 0;
}

/* The value behind the colon, up to the end of the line. */
static int read_value(const StatsLine *line, const char *s, const char *end, uint64_t *ret) {
        const char *stop;
        int r;

        while (s < end && *s == ' ')
                s++;
        if (line->is_time)
                return read_time(s, end, ret);
        r = read_number(s, end, &stop, ret);
        return r < 0 || stop == end ? r : -EINVAL;
}

int buffer_stats_parse(const char *text, BufferStats *ret) {
        BufferStats stats = { 0 };

        while (*text != '\0') {
                const char *end = strchrnul(text, '\n');

                for (size_t i = 0; i < ELEMENTSOF(stats_lines); i++) {
                        size_t length = strlen(stats_lines[i].label);
                        uint64_t value;
                        int r;

                        if (strncmp(text, stats_lines[i].label, length) != 0 || text[length] != ':')
                                continue;
                        r = read_value(stats_lines + i, text + length + 1, end, &value);
                        if (r < 0)
                                return r;
                        memcpy((char *) &stats + stats_lines[i].offset, &value, sizeof(value));
                }
                text = *end == '\n' ? end + 1 : end;
        }
        *ret = stats;
        return 0;
}

uint64_t buffer_stats_lost(const BufferStats *stats) {
        return stats->overrun + stats->commit_overrun + stats->dropped;
}
