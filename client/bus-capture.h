/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The methods of org.ktraced1.Capture, one function each, and its properties; see
 * dbus/org.ktraced1.Capture.xml. All return 0, or -errno with the server's message in `error`.
 */

#include <stdint.h>

#include "client/bus-client.h"

typedef struct CaptureStatus {
        char *id;
        char *state;
        uint64_t events, bytes, raw_bytes, lost;
        uint32_t segments;
} CaptureStatus;

void capture_status_clear(CaptureStatus *status);

/* The caller frees. */
int bus_capture_describe(BusClient *client, const char *path, Error *error, char **ret_json);
/* Why it was made or has ended; *ret is untouched when it does not say. Without asking for a password. The caller
 * frees. */
int bus_capture_read_reason(BusClient *client, const char *path, Error *error, char **ret);
/* Segment 0: the newest. *ret_fd is open for reading, the caller's to close. */
int bus_capture_open(BusClient *client, const char *path, uint32_t segment, Error *error, int *ret_fd);
int bus_capture_pin(BusClient *client, const char *path, bool pinned, Error *error);
int bus_capture_delete(BusClient *client, const char *path, Error *error);

/* `ret` may hold an earlier status, which is then freed. */
int bus_capture_get_status(BusClient *client, const char *path, Error *error, CaptureStatus *ret);
