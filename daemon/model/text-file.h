/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Reading the daemon's own configuration: whole text files of bounded size. For a worker.
 */

#include "core/error.h"

#define TEXT_FILE_SIZE_MAX (1U << 20)

/* ERROR_INVALID_ARGUMENT for a file above TEXT_FILE_SIZE_MAX or with a NUL byte, ERROR_IO otherwise; the
 * message names the path. */
int text_file_read(const char *path, Error *error, char **ret);

/* The *.json files of a directory (or `path` itself, when it is none), as full paths in the order of their
 * names. A missing path gives an empty list. */
int text_file_list(const char *path, char ***ret);
