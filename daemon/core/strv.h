/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Strv: a NULL-terminated array of owned strings. NULL counts as an empty one.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ktraced/cleanup.h"

void strv_free(char **strv);
DEFINE_POINTER_CLEANUP(char *, strv_free);

size_t strv_length(char *const *strv);
bool strv_contains(char *const *strv, const char *s);

/* Appends a copy of `s`; *strv may move. Returns 0 or -ENOMEM, *strv then unchanged. */
int strv_append(char ***strv, const char *s);
int strv_copy(char *const *strv, char ***ret);
int strv_join(char *const *strv, const char *separator, char **ret);
/* Splits at any of `separators`, dropping empty pieces. */
int strv_split(const char *s, const char *separators, char ***ret);
void strv_sort(char **strv);
