/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bytes of a trace on their way to a person or a program. What traced programs choose, such as names of
 * files and of themselves, can be any bytes: on a terminal they must not act, in JSON they must be UTF-8.
 * Pure functions.
 */

#include <stddef.h>
#include <stdio.h>

/* Writes `text`, byte for byte what is printable (core/text.h), tabs and newlines; all other bytes as \xNN.
 * `n` is its length; a NUL must follow. */
void escape_print(FILE *out, const char *text, size_t n);

/* The text, which a NUL must follow, as valid UTF-8 without NULs: other bytes become the four characters \xNN.
 * *ret is NULL where all are valid, and the text can be taken as it is. -ENOMEM. */
int escape_utf8(const char *text, size_t n, char **ret, size_t *ret_n);
