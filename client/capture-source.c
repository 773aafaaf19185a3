/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/capture-source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-capture.h"
#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "ktraced/cleanup.h"

void capture_source_clear(CaptureSource *source) {
        free(source->path);
        free(source->description);
        metadata_free(source->metadata);
        *source = (CaptureSource){ 0 };
}

/* Reads the description of the capture at source->path. */
static int describe(BusClient *client, Error *error, CaptureSource *source) {
        int r;

        r = bus_capture_describe(client, source->path, error, &source->description);
        return r < 0 ? r : metadata_parse(source->description, error, &source->metadata);
}

int capture_source_get(BusClient *client, const char *id, Error *error, CaptureSource *ret) {
        CLEANUP(capture_source_clear) CaptureSource source = { 0 };
        int r;

        r = bus_manager_get_capture(client, id, error, &source.path);
        if (r >= 0)
                r = describe(client, error, &source);
        if (r < 0)
                return r;
        *ret = source;
        source = (CaptureSource){ 0 };
        return 0;
}

/* The path of the capture of a session that is there; "/" when it has none. */
static int path_from_session(BusClient *client, const char *name, Error *error, char **ret) {
        CLEANUP(session_status_clear) SessionStatus status = { 0 };
        CLEANUP_FREE char *session = NULL;
        int r;

        r = bus_manager_get_session(client, name, error, &session);
        if (r >= 0)
                r = bus_session_get_status(client, session, error, &status);
        if (r >= 0)
                *ret = STEAL_PTR(status.capture);
        return r;
}

/* The newest capture of all that were made by a session of that id or name. */
static int path_from_list(BusClient *client, const char *name, Error *error, char **ret) {
        CLEANUP(capture_rows_clear) CaptureRows rows = { 0 };
        CaptureRow *newest = NULL;
        int r;

        r = bus_manager_list_captures(client, &(CaptureQuery){ 0 }, error, &rows);
        if (r < 0)
                return r;
        for (size_t i = 0; i < rows.n_rows; i++) {
                CaptureRow *row = &rows.rows[i];

                if (strcmp(row->session_id, name) != 0 && strcmp(row->session_name, name) != 0)
                        continue;
                if (!newest || row->start >= newest->start)
                        newest = row;
        }
        if (!newest)
                return error_set(error, ERROR_NO_SUCH_CAPTURE, "There is no file, capture or session '%s'", name);
        *ret = STEAL_PTR(newest->path);
        return 0;
}

static int find_path(BusClient *client, const char *name, Error *error, char **ret) {
        CLEANUP(error_clear) Error not_capture = ERROR_INIT, not_session = ERROR_INIT;
        CLEANUP_FREE char *of_session = NULL;

        if (bus_manager_get_capture(client, name, &not_capture, ret) >= 0)
                return 0;
        if (not_capture.code != ERROR_NO_SUCH_CAPTURE && not_capture.code != ERROR_INVALID_ARGUMENT) {
                error_move(error, &not_capture);
                return -EIO;
        }
        if (path_from_session(client, name, &not_session, &of_session) >= 0 && strcmp(of_session, "/") != 0) {
                *ret = STEAL_PTR(of_session);
                return 0;
        }
        return path_from_list(client, name, error, ret);
}

int capture_source_find(BusClient *client, const char *name, Error *error, CaptureSource *ret) {
        CLEANUP(capture_source_clear) CaptureSource source = { 0 };
        int r;

        r = find_path(client, name, error, &source.path);
        if (r >= 0)
                r = describe(client, error, &source);
        if (r < 0)
                return r;
        *ret = source;
        source = (CaptureSource){ 0 };
        return 0;
}

static void close_all(int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                (void) close(fds[i]);
        free(fds);
}

int capture_source_open_segments(const CaptureSource *source, BusClient *client, Error *error, int **ret_fds,
                                 size_t *ret_n_fds) {
        size_t n = source->metadata->n_segments;
        int *fds;

        if (n == 0)
                return error_set(error, ERROR_NO_SUCH_SEGMENT, "Capture %s has no segments", source->metadata->id);
        fds = calloc(n, sizeof(*fds));
        if (!fds)
                return error_set_errno(error, -ENOMEM, "Cannot open the segments");
        for (size_t i = 0; i < n; i++) {
                int r;

                r = bus_capture_open(client, source->path, (uint32_t) source->metadata->segments[i].number, error,
                                     &fds[i]);
                if (r < 0) {
                        close_all(fds, i);
                        return r;
                }
        }
        *ret_fds = fds;
        *ret_n_fds = n;
        return 0;
}
