/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the store-*.c files share. Not for others.
 *
 * store.c makes and opens, store-load.c reads and repairs after a restart, store-delete.c removes,
 * store-digest.c computes checksums, store-compress.c makes segments smaller. A name with HIDDEN_PREFIX is a capture
 * that is not there yet, or not any more; unless it is locked, it is a leftover.
 */

#include <stdatomic.h>

#include "capture/store.h"

#define METADATA_NAME "capture.json"
#define METADATA_TEMPORARY METADATA_NAME ".tmp"
#define SEGMENT_TEMPORARY_SUFFIX ".tmp"
#define FIRST_SEGMENT_TEMPORARY "trace-000001.dat" SEGMENT_TEMPORARY_SUFFIX
#define HIDDEN_PREFIX "."
#define STORE_ID_MAX 64U

struct Store {
        int fd; /* of the root */
        atomic_bool background_cancelled;
};

int store_open_capture(const Store *store, const char *id, Error *error, int *ret);
/* A capture's directory and the files in it; nothing in it is a directory. */
int store_remove_directory(const Store *store, const char *name);
/* With `sync` it is durable when this returns, but for the name. */
int store_put_metadata(int dir_fd, const CaptureMetadata *metadata, bool sync, Error *error);
/* -ENOENT when there are none. */
int store_read_metadata(int dir_fd, CaptureMetadata **ret);
/* From the beginning of the file. -ECANCELED: see store_cancel_background(). */
int store_digest(const Store *store, int fd, char ret[static 65]);
/* Corrects the row of a segment whose file was replaced by a compressed one just before its writer died. */
void store_note_compressed(int fd, uint64_t file_size, SegmentInfo *info);
/* The same for all segments of a capture that nobody writes; removes what was not complete. */
void store_finish_compressions(int dir_fd, CaptureMetadata *metadata);
