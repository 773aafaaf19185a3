/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copies of whole files, from their beginning. -errno. */

/* To anything that can be written to. */
int file_copy(int from, int to);

/* To a new regular file; holes stay holes, which an unfinished segment has many of. */
int file_copy_sparse(int from, int to);
