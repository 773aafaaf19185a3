/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/memory-info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/parse.h"
#include "ktraced/cleanup.h"

/* "Name:   1234 kB" */
static int read_value(const char *text, const char *name, uint64_t *ret) {
        const size_t length = strlen(name);
        uint64_t kilobytes;

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, length) != 0 || line[length] != ':')
                        continue;
                line += length + 1;
                line += strspn(line, " ");

                CLEANUP_FREE char *digits = strndup(line, strspn(line, "0123456789"));

                if (!digits)
                        return -ENOMEM;
                if (parse_unsigned(digits, &kilobytes) < 0 || strncmp(line + strlen(digits), " kB", 3) != 0 ||
                    kilobytes > UINT64_MAX / 1024)
                        return -EINVAL;
                *ret = kilobytes * 1024;
                return 0;
        }
        return -EINVAL;
}

int memory_info_parse(const char *text, MemoryInfo *ret) {
        MemoryInfo info;
        int r;

        r = read_value(text, "MemTotal", &info.total);
        if (r >= 0)
                r = read_value(text, "MemAvailable", &info.available);
        if (r < 0)
                return r;
        *ret = info;
        return 0;
}
