/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CaptureDirectory: the beginning of a capture in the store: its directory, made by the store worker, and what its
 * metadata say before anything was recorded. Used by the model only.
 *
 * Life cycle: capture_directory_make(); its result goes into a sink, or is given back with
 * capture_directory_discard().
 */

#include "core/metadata.h"
#include "kernel/instance.h"
#include "model/session.h"

typedef struct CaptureDirectory {
        char *id;
        int fd; /* of the directory, locked */
} CaptureDirectory;

/* Opens the store when that was not done yet. Result: CaptureDirectory *, whose members the callee may take
 * (STEAL_PTR, steal_fd). */
void capture_directory_make(Manager *manager, ModelDone done, void *userdata);

/* Deletes one that holds nothing that anyone would want. `id` is taken over; NULL: nothing. */
void capture_directory_discard(Manager *manager, char *id);

/* For a capture of the session that is about to begin. */
int capture_metadata_make(const Session *session, const char *id, const Instance *instance, CaptureMetadata **ret);
/* The kernel, the boot and the machine of now. */
int capture_metadata_fill_host(CaptureMetadata *metadata);
