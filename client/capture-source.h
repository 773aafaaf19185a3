/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CaptureSource: a capture that the daemon has, found by what the user calls it, with its metadata.
 *
 * Life cycle: declared empty, `= { 0 }`; capture_source_find(); then segments; capture_source_clear().
 */

#include "client/bus-client.h"
#include "core/metadata.h"

typedef struct CaptureSource {
        char *path;
        char *description; /* JSON as the daemon sent it */
        CaptureMetadata *metadata;
} CaptureSource;

/* By the id of a capture. */
int capture_source_get(BusClient *client, const char *id, Error *error, CaptureSource *ret);

/* By the id of a capture, or the newest one of a session that is there, or else of a session that once was:
 * by id or name. */
int capture_source_find(BusClient *client, const char *name, Error *error, CaptureSource *ret);

void capture_source_clear(CaptureSource *source);

/* Opens all segments, oldest first. The caller closes the descriptors and frees the array. */
int capture_source_open_segments(const CaptureSource *source, BusClient *client, Error *error, int **ret_fds,
                                 size_t *ret_n_fds);
