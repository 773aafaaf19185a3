/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Checks on a descriptor that a client passed to be written into.
 */

#include "core/error.h"

/* A regular file, open for reading and writing, not O_APPEND, not O_PATH, not sealed against writing.
 * Never blocks: asks for what the kernel has cached (AT_STATX_DONT_SYNC), not the file system.
 * ERROR_BAD_DESCRIPTOR says what is wrong. */
int output_file_check(int fd, Error *error);
