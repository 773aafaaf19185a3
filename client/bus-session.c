/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/bus-session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-properties.h"
#include "client/describe.h"
#include "core/json-text.h"
#include "ktraced/cleanup.h"
#include "ktraced/protocol.h"

void session_status_clear(SessionStatus *status) {
        free(status->id);
        free(status->state);
        free(status->capture);
        *status = (SessionStatus){ 0 };
}

static int call_session(BusClient *client, const char *path, const char *member, CallFlags flags, Error *error) {
        return bus_client_call_simple(client, path, KTRACED_SESSION_INTERFACE, member, NULL, flags, 0, error, NULL);
}

int bus_session_start(BusClient *client, const char *path, Error *error) {
        return call_session(client, path, "Start", CALL_MAY_ASK, error);
}

int bus_session_stop(BusClient *client, const char *path, Error *error) {
        return call_session(client, path, "Stop", CALL_MAY_ASK | CALL_MAY_LAST | CALL_NO_AUTO_START, error);
}

int bus_session_reload(BusClient *client, const char *path, Error *error) {
        return call_session(client, path, "Reload", CALL_MAY_ASK | CALL_MAY_LAST | CALL_NO_AUTO_START, error);
}

int bus_session_rotate(BusClient *client, const char *path, Error *error) {
        return call_session(client, path, "Rotate", CALL_MAY_ASK | CALL_MAY_LAST, error);
}

int bus_session_clear(BusClient *client, const char *path, Error *error) {
        return call_session(client, path, "Clear", CALL_MAY_ASK | CALL_MAY_LAST, error);
}

int bus_session_remove(BusClient *client, const char *path, Error *error) {
        return call_session(client, path, "Remove", CALL_MAY_ASK | CALL_MAY_LAST | CALL_NO_AUTO_START, error);
}

static int append_strings(sd_bus_message *call, const char *key, char *const *strings) {
        int r = sd_bus_message_open_container(call, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, (char **) strings);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_snapshot_options(sd_bus_message *call, const char *reason, char *const *journal, uint64_t after) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && reason)
                r = sd_bus_message_append(call, "{sv}", "reason", "s", reason);
        if (r >= 0 && journal)
                r = append_strings(call, "journal", journal);
        if (r >= 0 && after > 0)
                r = sd_bus_message_append(call, "{sv}", "after", "t", after);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

int bus_session_snapshot(BusClient *client, const char *path, const char *reason, char *const *journal,
                         uint64_t after, Error *error, char **ret_capture_id) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *capture;
        int r;

        r = bus_client_new_call(client, path, KTRACED_SESSION_INTERFACE, "Snapshot", error, &call);
        if (r < 0)
                return r;
        r = append_snapshot_options(call, reason, journal, after);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_MAY_ASK | CALL_MAY_LAST | CALL_NO_AUTO_START, error, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &capture);
        if (r >= 0)
                r = sd_bus_path_decode(capture, KTRACED_CAPTURE_PATH, ret_capture_id);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

/* The descriptor of the reply to `call`. */
static int call_for_fd(BusClient *client, sd_bus_message *call, Error *error, int *ret_fd) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int fd, r;

        r = bus_client_call(client, call, CALL_MAY_ASK | CALL_NO_AUTO_START, error, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return bus_client_message_error(r, error);
        /* The reply's own is closed with it. */
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return error_set_errno(error, -errno, "Cannot keep the descriptor");
        *ret_fd = fd;
        return 0;
}

int bus_session_open_stream(BusClient *client, const char *path, Error *error, int *ret_fd) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        if (client->remote)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "A session on another host cannot be followed from here");
        r = bus_client_new_call(client, path, KTRACED_SESSION_INTERFACE, "OpenStream", error, &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "a{sv}", 0);
        return r < 0 ? bus_client_message_error(r, error) : call_for_fd(client, call, error, ret_fd);
}

int bus_session_open_marker(BusClient *client, const char *path, Error *error, int *ret_fd) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        if (client->remote)
                return error_set(error, ERROR_NOT_SUPPORTED, "A session on another host cannot be marked from here");
        r = bus_client_new_call(client, path, KTRACED_SESSION_INTERFACE, "OpenMarker", error, &call);
        return r < 0 ? r : call_for_fd(client, call, error, ret_fd);
}

int bus_session_add_process(BusClient *client, const char *path, int pidfd, Error *error) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        if (client->remote)
                return error_set(error, ERROR_NOT_SUPPORTED, "Processes of this host cannot be traced on another");
        r = bus_client_new_call(client, path, KTRACED_SESSION_INTERFACE, "AddProcess", error, &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(call, 'h', &pidfd);
        if (r < 0)
                return bus_client_message_error(r, error);
        return bus_client_call(client, call, CALL_MAY_ASK, error, NULL);
}

int bus_session_describe(BusClient *client, const char *path, Error *error, char **ret_json) {
        return bus_client_call_simple(client, path, KTRACED_SESSION_INTERFACE, "Describe", NULL, CALL_MAY_ASK, 's',
                                      error, ret_json);
}

static uint64_t member(struct json_object *object, const char *key) {
        struct json_object *value;

        return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

/* The latest of those of its watches. */
static uint64_t latest(struct json_object *description, const char *key) {
        struct json_object *watches;
        uint64_t time = 0;

        if (!json_object_object_get_ex(description, "watches", &watches))
                return 0;
        for (size_t i = 0; i < json_object_array_length(watches); i++) {
                uint64_t one = member(json_object_array_get_idx(watches, i), key);

                time = one > time ? one : time;
        }
        return time;
}

int bus_session_read_row(BusClient *client, SessionRow *row, Error *error) {
        CLEANUP_JSON struct json_object *description = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *ring;
        int r;

        r = bus_client_call_simple(client, row->path, KTRACED_SESSION_INTERFACE, "Describe", NULL,
                                   CALL_BRIEF | CALL_NO_AUTO_START, 's', error, &text);
        if (r >= 0)
                r = describe_parse(text, error, &description);
        if (r < 0)
                return r;
        row->has_watches = json_object_object_get_ex(description, "watches", NULL);
        row->last_watch = latest(description, "last");
        row->next_watch = latest(description, "next");
        row->has_ring = json_object_object_get_ex(description, "ring", &ring);
        if (!row->has_ring)
                return 0;
        row->ring = (RingRow){
                .capacity = member(ring, "capacity"),
                .fill = member(ring, "fill"),
                .held = member(ring, "held"),
                .window = member(ring, "window"),
        };
        return 0;
}

int bus_session_read_histogram(BusClient *client, const char *path, const char *event, Error *error,
                               char **ret_json) {
        return bus_client_call_simple(client, path, KTRACED_SESSION_INTERFACE, "ReadHistogram", event, CALL_MAY_ASK,
                                      's', error, ret_json);
}

int bus_session_get_status(BusClient *client, const char *path, Error *error, SessionStatus *ret) {
        CLEANUP(session_status_clear) SessionStatus status = { 0 };
        const BusProperty properties[] = {
                { "Id", 's', &status.id },           { "State", 's', &status.state },
                { "Capture", 'o', &status.capture }, { "Events", 't', &status.events },
                { "Bytes", 't', &status.bytes },     { "Lost", 't', &status.lost },
        };
        int r;

        r = bus_properties_get(client, path, KTRACED_SESSION_INTERFACE, properties, ELEMENTSOF(properties), error);
        if (r < 0)
                return r;
        session_status_clear(ret);
        *ret = status;
        status = (SessionStatus){ 0 };
        return 0;
}

int bus_session_watch(BusClient *client, const char *path, sd_bus_message_handler_t handler, void *userdata,
                      Error *error) {
        /* Without a bus messages have no sender. */
        const char *sender = client->daemon.pid > 0 ? NULL : KTRACED_BUS_NAME;
        int r;

        r = sd_bus_match_signal_async(client->bus, NULL, sender, path, "org.freedesktop.DBus.Properties",
                                      "PropertiesChanged", handler, NULL, userdata);
        if (r >= 0)
                r = sd_bus_match_signal_async(client->bus, NULL, sender, KTRACED_OBJECT_PATH,
                                              KTRACED_MANAGER_INTERFACE, "SessionRemoved", handler, NULL, userdata);
        return r < 0 ? error_set_errno(error, r, "Cannot listen to signals of ktraced") : 0;
}
