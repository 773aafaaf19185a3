/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text from outside: is it fit for a log line, a terminal and the bus, and if not, how it is shown in a
 * message without being able to forge one.
 */

#include <stdbool.h>
#include <stddef.h>

#define TEXT_ESCAPE_SIZE 128U

/* Valid UTF-8 without control characters: C0, DEL, C1, line and paragraph separators, and the characters
 * that change the direction of the text around them. The empty string is printable. */
bool text_is_printable(const char *text);

/* The number of bytes at the start of `text` that text_is_printable() would accept. */
size_t text_printable_length(const char *text);

/* The length in bytes of the UTF-8 character (RFC 3629) at the start of `text`; 0 when there is none or the
 * string ends there. */
size_t text_character_length(const char *text);

/* `text` for use in a message: what is not printable becomes \xNN, byte for byte, and what does not fit
 * into `size` bytes (16 or more) is cut, with "..." at the end. Returns `buffer`. */
char *text_escape(const char *text, char *buffer, size_t size);

/* The same in a buffer that lives until the end of the enclosing block. */
#define TEXT_ESCAPE(text) text_escape((text), (char[TEXT_ESCAPE_SIZE]){ 0 }, TEXT_ESCAPE_SIZE)

/* Takes every `word`, which is not empty, out of the text. Where the next line is nothing but a mark, '^' behind
 * spaces, it goes on to point at what it pointed at. */
void text_drop(char *text, const char *word);
