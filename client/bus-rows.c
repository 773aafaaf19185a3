/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/bus-rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/strv.h"
#include "ktraced/protocol.h"

#define PROFILE_ROW "(ss)"

/* The readers copy the strings of a row in one go and check afterwards: a failed strdup() leaves NULL. */

static void session_row_clear(SessionRow *row) {
        free(row->id);
        free(row->name);
        free(row->state);
        free(row->mode);
        free(row->path);
}

void session_rows_clear(SessionRows *rows) {
        for (size_t i = 0; i < rows->n_rows; i++)
                session_row_clear(&rows->rows[i]);
        free(rows->rows);
        *rows = (SessionRows){ 0 };
}

static void capture_row_clear(CaptureRow *row) {
        free(row->id);
        free(row->session_id);
        free(row->session_name);
        free(row->state);
        free(row->path);
}

void capture_rows_clear(CaptureRows *rows) {
        for (size_t i = 0; i < rows->n_rows; i++)
                capture_row_clear(&rows->rows[i]);
        free(rows->rows);
        *rows = (CaptureRows){ 0 };
}

static void profile_row_clear(ProfileRow *row) {
        free(row->name);
        free(row->description);
}

void profile_rows_clear(ProfileRows *rows) {
        for (size_t i = 0; i < rows->n_rows; i++)
                profile_row_clear(&rows->rows[i]);
        free(rows->rows);
        *rows = (ProfileRows){ 0 };
}

static void feature_row_clear(FeatureRow *row) {
        free(row->name);
        free(row->reason);
}

void capability_rows_clear(CapabilityRows *rows) {
        for (size_t i = 0; i < rows->n_features; i++)
                feature_row_clear(&rows->features[i]);
        free(rows->features);
        strv_free(rows->clocks);
        strv_free(rows->options);
        *rows = (CapabilityRows){ 0 };
}

/* Makes room for one row more and moves `row` there; on failure frees what it holds. */
#define APPEND_ROW(array, n, row, clear)                                                     \
        ({                                                                                   \
                __typeof__(array) grown_ = reallocarray(array, (n) + 1, sizeof((array)[0])); \
                if (grown_) {                                                                \
                        (array) = grown_;                                                    \
                        (array)[(n)++] = (row);                                              \
                } else                                                                       \
                        clear(&(row));                                                       \
                grown_ ? 0 : -ENOMEM;                                                        \
        })

int bus_read_strings(sd_bus_message *message, char ***ret) {
        CLEANUP(strv_freep) char **strings = NULL;
        int r = sd_bus_message_read_strv(message, &strings);

        if (r < 0)
                return r;
        *ret = STEAL_PTR(strings);
        return 0;
}

int bus_read_sessions(sd_bus_message *message, SessionRows *ret) {
        CLEANUP(session_rows_clear) SessionRows rows = { 0 };
        const char *id, *name, *state, *mode, *path;
        uint32_t owner;
        int r;

        r = sd_bus_message_enter_container(message, 'a', KTRACED_SESSION_ROW);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(message, KTRACED_SESSION_ROW, &id, &name, &owner, &state, &mode, &path)) >
               0) {
                SessionRow row = {
                        .id = strdup(id),
                        .name = strdup(name),
                        .owner = owner,
                        .state = strdup(state),
                        .mode = strdup(mode),
                        .path = strdup(path),
                };

                r = APPEND_ROW(rows.rows, rows.n_rows, row, session_row_clear);
                if (r < 0)
                        return r;
                if (!row.id || !row.name || !row.state || !row.mode || !row.path)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = rows;
        rows = (SessionRows){ 0 };
        return 0;
}

int bus_read_captures(sd_bus_message *message, CaptureRows *ret) {
        CLEANUP(capture_rows_clear) CaptureRows rows = { 0 };
        const char *id, *session_id, *session_name, *state, *path;
        uint64_t start, bytes, events, lost;
        uint32_t owner, segments;
        int r;

        r = sd_bus_message_enter_container(message, 'a', KTRACED_CAPTURE_ROW);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(message, KTRACED_CAPTURE_ROW, &id, &session_id, &session_name, &owner, &state,
                                        &start, &bytes, &events, &lost, &segments, &path)) > 0) {
                CaptureRow row = {
                        .id = strdup(id),
                        .session_id = strdup(session_id),
                        .session_name = strdup(session_name),
                        .owner = owner,
                        .state = strdup(state),
                        .start = start,
                        .bytes = bytes,
                        .events = events,
                        .lost = lost,
                        .segments = segments,
                        .path = strdup(path),
                };

                r = APPEND_ROW(rows.rows, rows.n_rows, row, capture_row_clear);
                if (r < 0)
                        return r;
                if (!row.id || !row.session_id || !row.session_name || !row.state || !row.path)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = rows;
        rows = (CaptureRows){ 0 };
        return 0;
}

int bus_read_profiles(sd_bus_message *message, ProfileRows *ret) {
        CLEANUP(profile_rows_clear) ProfileRows rows = { 0 };
        const char *name, *description;
        int r;

        r = sd_bus_message_enter_container(message, 'a', PROFILE_ROW);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(message, PROFILE_ROW, &name, &description)) > 0) {
                ProfileRow row = { .name = strdup(name), .description = strdup(description) };

                r = APPEND_ROW(rows.rows, rows.n_rows, row, profile_row_clear);
                if (r < 0)
                        return r;
                if (!row.name || !row.description)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = rows;
        rows = (ProfileRows){ 0 };
        return 0;
}

/* One value of the dictionary: `true`, or the reason why not; -ENOMSG for a type that this client, older than
 * the daemon, does not know. */
static int read_feature(sd_bus_message *message, const char *name, const char *type, CapabilityRows *rows) {
        FeatureRow row = { NULL, NULL };
        const char *reason = NULL;
        int r, present = 0;

        if (strcmp(type, "b") == 0)
                r = sd_bus_message_read(message, "v", "b", &present);
        else if (strcmp(type, "s") == 0)
                r = sd_bus_message_read(message, "v", "s", &reason);
        else
                return -ENOMSG;
        if (r < 0)
                return r;
        row.name = strdup(name);
        row.reason = present ? NULL : strdup(reason ?: "");
        r = APPEND_ROW(rows->features, rows->n_features, row, feature_row_clear);
        if (r < 0)
                return r;
        return row.name && (present || row.reason) ? 0 : -ENOMEM;
}

static int read_string_list(sd_bus_message *message, char ***list) {
        CLEANUP(strv_freep) char **strings = NULL;
        int r;

        r = sd_bus_message_enter_container(message, 'v', "as");
        if (r < 0)
                return r;
        r = bus_read_strings(message, &strings);
        if (r < 0)
                return r;
        strv_free(*list);
        *list = STEAL_PTR(strings);
        return sd_bus_message_exit_container(message);
}

static int read_capability(sd_bus_message *message, CapabilityRows *rows) {
        const char *name, *type;
        int r;

        r = sd_bus_message_read_basic(message, 's', &name);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(message, NULL, &type);
        if (r < 0)
                return r;
        if (strcmp(type, "as") == 0 && strcmp(name, "clocks") == 0)
                return read_string_list(message, &rows->clocks);
        if (strcmp(type, "as") == 0 && strcmp(name, "options") == 0)
                return read_string_list(message, &rows->options);
        r = read_feature(message, name, type, rows);
        return r == -ENOMSG ? sd_bus_message_skip(message, "v") : r;
}

int bus_read_capabilities(sd_bus_message *message, CapabilityRows *ret) {
        CLEANUP(capability_rows_clear) CapabilityRows rows = { 0 };
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = read_capability(message, &rows);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = rows;
        rows = (CapabilityRows){ 0 };
        return 0;
}
