/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Decodes one character of UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). Returns
 * its length, or 0 when the bytes are no character. */
static size_t decode(const unsigned char *s, uint32_t *ret) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        uint32_t character;
        size_t length;

        if (s[0] < 0x80) {
                *ret = s[0];
                return 1;
        }
        if (s[0] >= 0xc2 && s[0] < 0xe0)
                length = 2;
        else if (s[0] >= 0xe0 && s[0] < 0xf0)
                length = 3;
        else if (s[0] >= 0xf0 && s[0] < 0xf5)
                length = 4;
        else
                return 0;

        character = s[0] & (0x7fU >> length);
        for (size_t i = 1; i < length; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                character = character << 6 | (s[i] & 0x3f);
        }
        if (character < least[length] || (character >= 0xd800 && character < 0xe000) || character > 0x10ffff)
                return 0;
        *ret = character;
        return length;
}

static bool is_control(uint32_t character) {
        return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
               (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
}

/* The length of the printable character at `s`; 0 at the end or when there is none. */
static size_t printable_character(const char *s) {
        uint32_t character;
        size_t length = decode((const unsigned char *) s, &character);

        return length == 0 || is_control(character) ? 0 : length;
}

size_t text_printable_length(const char *text) {
        size_t at = 0, length;

        while ((length = printable_character(text + at)) > 0)
                at += length;
        return at;
}

size_t text_character_length(const char *text) {
        uint32_t character;
        size_t length = decode((const unsigned char *) text, &character);

        return length == 0 || character == 0 ? 0 : length;
}

bool text_is_printable(const char *text) {
        return text[text_printable_length(text)] == '\0';
}

char *text_escape(const char *text, char *buffer, size_t size) {
        size_t at = 0, fits = 0;

        /* `fits` is the last place from which the dots can still be written. */
        while (*text != '\0') {
                size_t length = printable_character(text), width = length > 0 ? length : 4;

                if (at + width + 1 > size) {
                        memcpy(buffer + fits, "...", 4);
                        return buffer;
                }
                if (length > 0) {
                        memcpy(buffer + at, text, length);
                        text += length;
                } else
                        (void) snprintf(buffer + at, size - at, "\\x%02x", (unsigned char) *text++);
                at += width;
                if (at + 4 <= size)
                        fits = at;
        }
        buffer[at] = '\0';
        return buffer;
}

static void cut(char *at, size_t length) {
        memmove(at, at + length, strlen(at + length) + 1);
}

void text_drop(char *text, const char *word) {
        size_t length = strlen(word);

        for (char *at = text; (at = strstr(at, word));) {
                char *line = at, *mark;
                size_t before;

                while (line > text && line[-1] != '\n')
                        line--;
                before = (size_t) (at - line);
                cut(at, length);
                mark = strchr(at, '\n');
                if (!mark)
                        continue;
                mark++;
                if (strspn(mark, " ") >= before + length && mark[strspn(mark, " ")] == '^')
                        cut(mark, length);
        }
}
