/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/pressure-text.h"

#include <errno.h>
#include <string.h>

#include "core/parse.h"
#include "ktraced/cleanup.h"

#define TOTAL " total="

int pressure_parse_total(const char *text, bool full, uint64_t *ret) {
        const char *kind = full ? "full " : "some ";

        for (const char *line = text; *line != '\0';) {
                size_t length = strcspn(line, "\n");

                if (strncmp(line, kind, strlen(kind)) == 0) {
                        CLEANUP_FREE char *copy = strndup(line, length);
                        const char *total = copy ? strstr(copy, TOTAL) : NULL;

                        if (!copy)
                                return -ENOMEM;
                        return total && parse_unsigned(total + strlen(TOTAL), ret) >= 0 ? 0 : -EBADMSG;
                }
                line += length;
                line += *line == '\n';
        }
        return -EBADMSG;
}
