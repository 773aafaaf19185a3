/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/marker-text.h"

#include <string.h>

#include "core/text.h"

char *marker_text_space(MarkerText *text, size_t *ret_size) {
        *ret_size = MARKER_LINE_MAX - text->n;
        return text->buffer + text->n;
}

void marker_text_added(MarkerText *text, size_t n) {
        text->n += n;
}

void marker_text_end(MarkerText *text) {
        text->ended = true;
}

/* Byte for byte, so that the length stays. */
static void make_printable(char *line) {
        for (char *at = line + text_printable_length(line); *at != '\0'; at += text_printable_length(at))
                *at++ = '?';
}

/* A character of UTF-8 is not cut in two. */
static size_t whole_characters(const char *text, size_t n) {
        size_t end = n;

        while (end > 0 && n - end < 4 && ((unsigned char) text[end] & 0xc0) == 0x80)
                end--;
        return end > 0 ? end : n;
}

bool marker_text_next(MarkerText *text, char line[static MARKER_LINE_MAX + 1]) {
        for (;;) {
                const char *end = memchr(text->buffer, '\n', text->n);
                size_t length, taken;

                if (end) {
                        length = (size_t) (end - text->buffer);
                        taken = length + 1;
                } else if (text->ended)
                        length = taken = text->n;
                else if (text->n == MARKER_LINE_MAX) {
                        text->buffer[text->n] = '\0';
                        length = taken = whole_characters(text->buffer, text->n - 1);
                } else
                        return false;

                if (taken == 0)
                        return false;
                /* A NUL would end it. */
                for (size_t i = 0; i < length; i++)
                        line[i] = text->buffer[i] == '\0' ? '?' : text->buffer[i];
                line[length] = '\0';
                text->n -= taken;
                memmove(text->buffer, text->buffer + taken, text->n);
                make_printable(line);
                if (length > 0)
                        return true;
        }
}
