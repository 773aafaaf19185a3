/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whole texts from the kernel's virtual file systems, for this layer only. Files there have no size that
 * could be asked for, and an empty one is a text like any other.
 */

#include <stddef.h>
#include <tracefs.h>

/* Any file by its path, up to its end (or a NUL byte, which these files do not have). */
int kernel_text_read(const char *path, char **ret);
/* A file of an instance, or with NULL of the top level; `path` is relative. *ret_size (may be NULL) is the
 * length without the closing NUL. */
int kernel_text_read_tracefs(struct tracefs_instance *instance, const char *path, char **ret, size_t *ret_size);
