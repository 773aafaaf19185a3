/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/error-log.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ktraced/cleanup.h"

/* Behind the time stamp of an entry's first line, "[  123.456789] ", or NULL when `line` is another one. */
static const char *skip_stamp(const char *line) {
        const char *p = line;
        size_t digits;

        if (*p++ != '[')
                return NULL;
        p += strspn(p, " ");
        digits = strspn(p, "0123456789");
        if (digits == 0 || p[digits] != '.')
                return NULL;
        p += digits + 1;
        digits = strspn(p, "0123456789");
        if (digits == 0 || p[digits] != ']' || p[digits + 1] != ' ')
                return NULL;
        return p + digits + 2;
}

int error_log_parse_last(const char *text, char **ret) {
        const char *last = NULL;
        size_t length;
        char *copy;

        /* The newest entry is the last one (tracing_log_err() adds at the tail, trace.c, 5.2 to 6.18). */
        for (const char *line = text; *line;) {
                const char *message = skip_stamp(line), *end = strchr(line, '\n');

                if (message)
                        last = message;
                if (!end)
                        break;
                line = end + 1;
        }
        if (!last)
                return -ENOENT;

        /* The caret stands in the same column as what it points at, so the two lines stay as they are. */
        length = strlen(last);
        while (length > 0 && isspace((unsigned char) last[length - 1]))
                length--;
        if (length == 0)
                return -ENOENT;
        copy = strndup(last, length);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}
