/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Store: the directory of captures: <root>/<capture id>/{capture.json,trace-NNNNNN.dat}, 0700.
 *
 * A directory that is being written is locked (flock(2)) by its writer through the descriptor that
 * store_create_capture() returned; store_load() leaves locked ones alone, so that several daemons (an
 * embedded one beside the system's) may use one store.
 *
 * Every function may block on the disk: call them from a worker. The Store itself is immutable, any
 * thread may use it.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/metadata.h"

typedef struct Store Store;

/* Creates the directory (0700) when it is missing. */
int store_open(const char *root, Error *error, Store **ret);
void store_free(Store *store);
DEFINE_POINTER_CLEANUP(Store, store_free);

/* An id from time and chance, without making anything: for a capture outside the store. The caller frees. */
int store_make_id(char **ret);

/* A new directory with an id from time and chance, "20261124T054737-3f2a9c1e", locked while the descriptor
 * is open. */
int store_create_capture(Store *store, Error *error, char **ret_id, int *ret_dir_fd);

/* Metadata of all captures, oldest first; those that nobody writes any more but that are still marked
 * active are repaired and marked interrupted. An unreadable one is skipped and counted. The caller frees. */
int store_load(Store *store, Error *error, CaptureMetadata ***ret, size_t *ret_n, size_t *ret_n_skipped);

/* Atomically: temporary file, then rename. */
int store_write_metadata(Store *store, const CaptureMetadata *metadata, Error *error);
int store_write_metadata_at(int dir_fd, const CaptureMetadata *metadata, Error *error);

/* O_RDONLY; number 0: the newest. Also of a segment that is being written. ERROR_NO_SUCH_SEGMENT. */
int store_open_segment(Store *store, const char *capture_id, uint64_t number, Error *error, int *ret_fd);
/* SHA-256, 64 hexadecimal digits and NUL. */
int store_digest_segment(Store *store, const char *capture_id, uint64_t number, Error *error, char ret[static 65]);

typedef struct StoreCompression {
        uint64_t bytes,
                raw_bytes; /* of the file, now and before; equal when it is no smaller compressed, and stays */
        uint64_t usec;     /* what it took */
        char sha256[65];   /* of the file as it is now */
} StoreCompression;

/* Puts a compressed file in the place of a closed segment, at once and whole; who has the segment open goes on
 * reading what it was. `written` (may be NULL): bytes that the new file takes beside the old one, 0 at the end.
 * -ECANCELED when the segment is deleted meanwhile; -ENOSPC when there is no room for it, which is looked at before;
 * -EBADMSG when it is none of ours, or compressed already. On failure the segment is what it was. */
int store_compress_segment(Store *store, const char *capture_id, uint64_t number, atomic_uint_least64_t *written,
                           Error *error, StoreCompression *ret);
/* For the end of the daemon: digests and compression, what is being done and what comes, fail with -ECANCELED. */
void store_cancel_background(Store *store);
int store_delete_capture(Store *store, const char *capture_id, Error *error);

/* "trace-000001.dat" */
#define STORE_SEGMENT_NAME_MAX 40U
void store_segment_name(uint64_t number, char ret[static STORE_SEGMENT_NAME_MAX]);
