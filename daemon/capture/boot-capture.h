/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BootCapture: the capture that one boot leaves to the next. It lies in the store under a name of its own, without
 * pages, with the formats and symbols of the boot that prepared it. The next boot puts into it what
 * kernel/boot-instance.h has kept, and gives it the name of a capture.
 *
 * Life cycle, at the start of the daemon: boot_capture_take(), which gives nothing when this boot has prepared
 * already; then boot_capture_prepare() for the boot to come.
 *
 * Threads: may block on the disk and on the kernel's event mutex.
 */

#include "capture/store.h"
#include "core/metadata.h"
#include "core/trace-formats.h"
#include "kernel/boot-instance.h"

typedef enum BootCaptureResult {
        BOOT_CAPTURE_NONE,     /* nothing was left */
        BOOT_CAPTURE_TAKEN,    /* *ret is a capture in the store */
        BOOT_CAPTURE_PREPARED, /* this boot has been here: leave the instance alone */
} BootCaptureResult;

/* `boot_id`: of this boot. What was left without anything that had been prepared for it (-ENODATA) stays in the
 * buffer. -EBUSY: another daemon is at it. */
int boot_capture_take(Store *store, BootInstance *instance, const char *boot_id, Error *error,
                      BootCaptureResult *ret_result, CaptureMetadata **ret);
/* `metadata`: of this boot; its id becomes that of the capture. */
int boot_capture_prepare(Store *store, BootInstance *instance, const TraceFormats *formats, uint64_t trace_id,
                         const CaptureMetadata *metadata, Error *error);
