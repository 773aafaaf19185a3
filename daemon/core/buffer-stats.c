/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/buffer-stats.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/cleanup.h"

typedef struct StatsLine {
        const char *label;
        size_t offset;
} StatsLine;

static const StatsLine stats_lines[] = {
        { "entries", offsetof(BufferStats, entries) },
        { "overrun", offsetof(BufferStats, overrun) },
        { "commit overrun", offsetof(BufferStats, commit_overrun) },
        { "bytes", offsetof(BufferStats, bytes) },
        { "dropped events", offsetof(BufferStats, dropped) },
        { "read events", offsetof(BufferStats, read_events) },
};

/* The value behind the colon, up to the end of the line. */
static int read_value(const char *s, const char *end, uint64_t *ret) {
        unsigned long long value;
        char *stop;

        while (s < end && *s == ' ')
                s++;
        if (s == end || *s < '0' || *s > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(s, &stop, 10);
        if (errno != 0 || stop != end)
                return -EINVAL;
        *ret = value;
        return 0;
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
                        r = read_value(text + length + 1, end, &value);
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
