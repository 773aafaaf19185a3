/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/when.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "core/parse.h"
#include "ktraced/cleanup.h"

#define USEC_PER_SEC UINT64_C(1000000)

int when_parse(const char *text, uint64_t now, uint64_t *ret) {
        static const char *const formats[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S" };
        uint64_t span;

        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                /* Whether it is summer, the time zone knows. */
                struct tm tm = { .tm_isdst = -1 };
                const char *end = strptime(text, formats[i], &tm);
                time_t time;

                if (!end || *end != '\0')
                        continue;
                time = mktime(&tm);
                if (time < 0 || (uint64_t) time > UINT64_MAX / USEC_PER_SEC)
                        return -ERANGE;
                *ret = (uint64_t) time * USEC_PER_SEC;
                return 0;
        }
        if (parse_span(text, &span) < 0)
                return -EINVAL;
        if (span > now)
                return -ERANGE;
        *ret = now - span;
        return 0;
}
