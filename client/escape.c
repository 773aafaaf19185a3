/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/escape.h"
#include "core/text.h"

static bool is_plain(char c) {
        return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n';
}

void escape_print(FILE *out, const char *text, size_t n) {
        size_t start = 0, i = 0;

        for (;;) {
                size_t printable;

                while (i < n && is_plain(text[i]))
                        i++;
                if (i == n)
                        break;
                printable = text_printable_length(text + i);
                if (printable > 0) {
                        i += printable;
                        continue;
                }
                (void) fwrite_unlocked(text + start, 1, i - start, out);
                fprintf(out, "\\x%02x", (unsigned) (uint8_t) text[i]);
                start = ++i;
        }
        (void) fwrite_unlocked(text + start, 1, n - start, out);
}

/* Invalid bytes in `text`, NULs but for the one at its end among them. */
static size_t count_invalid(const char *text, size_t n) {
        size_t bad = 0, i = 0;

        while (i < n) {
                size_t k = is_plain(text[i]) ? 1 : text_character_length(text + i);

                bad += k == 0;
                i += k ?: 1;
        }
        return bad;
}

int escape_utf8(const char *text, size_t n, char **ret, size_t *ret_n) {
        static const char digits[] = "0123456789abcdef";
        size_t bad = count_invalid(text, n), at = 0, i = 0;
        char *escaped;

        if (bad == 0) {
                *ret = NULL;
                *ret_n = n;
                return 0;
        }
        escaped = malloc(n + 3 * bad + 1);
        if (!escaped)
                return -ENOMEM;
        while (i < n) {
                size_t k = text_character_length(text + i);
                uint8_t c = (uint8_t) text[i];

                if (k > 0)
                        memcpy(escaped + at, text + i, k);
                else
                        memcpy(escaped + at, (char[]){ '\\', 'x', digits[c >> 4], digits[c & 15] }, 4);
                at += k ?: 4;
                i += k ?: 1;
        }
        escaped[at] = '\0';
        *ret = escaped;
        *ret_n = at;
        return 0;
}
