/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * OutputFile: the file of `record -o`, into which the daemon writes the capture. A file that is there already is
 * replaced, but only once the daemon has accepted the request: until then the new one has another name.
 *
 * Life cycle: OUTPUT_FILE_NONE; output_file_open(); output_file_keep() when recording has begun;
 * output_file_clear(), which removes a file that was not kept.
 */

#include <stdbool.h>

#include "core/error.h"

typedef struct OutputFile {
        char *path;      /* where it is to be in the end */
        char *temporary; /* where it is now; NULL: there */
        int fd;          /* open for reading and writing, empty */
        bool kept;
} OutputFile;

#define OUTPUT_FILE_NONE ((OutputFile){ .fd = -1 })

/* Refuses what is there and is no regular file. */
int output_file_open(OutputFile *file, const char *path, Error *error);
int output_file_keep(OutputFile *file, Error *error);
void output_file_clear(OutputFile *file);
