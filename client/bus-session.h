/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The methods of org.ktraced1.Session, one function each, and its properties; see
 * dbus/org.ktraced1.Session.xml. All return 0, or -errno with the server's message in `error`.
 */

#include <stdint.h>

#include "client/bus-client.h"
#include "client/bus-rows.h"

/* The properties that change while a session runs. */
typedef struct SessionStatus {
        char *id;
        char *state;
        char *capture; /* path of the capture; "/": none */
        uint64_t events, bytes, lost;
} SessionStatus;

void session_status_clear(SessionStatus *status);

int bus_session_start(BusClient *client, const char *path, Error *error);
/* Returns once the capture is closed. */
int bus_session_stop(BusClient *client, const char *path, Error *error);
/* Its profile anew: returns once it records by that. */
int bus_session_reload(BusClient *client, const char *path, Error *error);
int bus_session_rotate(BusClient *client, const char *path, Error *error);
int bus_session_clear(BusClient *client, const char *path, Error *error);
int bus_session_remove(BusClient *client, const char *path, Error *error);
/* Returns once the capture is complete. `reason` and `journal` (lines for the metadata) may be NULL; `after`: usec.
 * The caller frees. */
int bus_session_snapshot(BusClient *client, const char *path, const char *reason, char *const *journal,
                         uint64_t after, Error *error, char **ret_capture_id);
/* The end to write to of a pipe that does not block; the caller closes. */
/* Of pages; the caller closes it. */
int bus_session_open_stream(BusClient *client, const char *path, Error *error, int *ret_fd);
int bus_session_open_marker(BusClient *client, const char *path, Error *error, int *ret_fd);
/* The caller frees. */
int bus_session_read_histogram(BusClient *client, const char *path, const char *event, Error *error, char **ret_json);
/* `pidfd` is borrowed. */
int bus_session_add_process(BusClient *client, const char *path, int pidfd, Error *error);
/* The caller frees. */
int bus_session_describe(BusClient *client, const char *path, Error *error, char **ret_json);
/* Fills in what stands in the description only, of the row's ring and watches. Without asking for a password. */
int bus_session_read_row(BusClient *client, SessionRow *row, Error *error);

/* `ret` may hold an earlier status, which is then freed. Does not have the bus start a daemon that has gone. */
int bus_session_get_status(BusClient *client, const char *path, Error *error, SessionStatus *ret);

/* Calls `handler` whenever public properties of the session change or it is removed. */
int bus_session_watch(BusClient *client, const char *path, sd_bus_message_handler_t handler, void *userdata,
                      Error *error);
