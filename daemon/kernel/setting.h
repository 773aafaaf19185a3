/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Setting: one file at the top of the tracing directory, whose text can be read and later be made the same
 * again. What is read is not always what must be written for that: a clock stands in brackets, a list of
 * functions has comments, and a list is written word by word. The file "trace" stands for an empty buffer: it reads
 * as an empty text, and restoring it empties the buffer.
 */

#include <stdbool.h>

/* Whole text of the file; the path is below the tracing directory. */
int setting_read(const char *file, char **ret);

/* Makes the file read `text` again, which setting_read() gave; writes nothing when it does. */
int setting_restore(const char *file, const char *text);

/* Writes a value; nothing when the file reads so already. */
int setting_write(const char *file, const char *value);

/* Replaces a list (set_ftrace_filter and its like) by these words; NULL empties it. -EINVAL: the kernel does not know
 * `*ret_refused`, a word of the list (may be NULL). */
int setting_write_list(const char *file, char *const *words, const char **ret_refused);
