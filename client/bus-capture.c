/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/bus-capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-properties.h"
#include "client/describe.h"
#include "core/json-text.h"
#include "ktraced/cleanup.h"
#include "ktraced/protocol.h"

void capture_status_clear(CaptureStatus *status) {
        free(status->id);
        free(status->state);
        *status = (CaptureStatus){ 0 };
}

int bus_capture_describe(BusClient *client, const char *path, Error *error, char **ret_json) {
        return bus_client_call_simple(client, path, KTRACED_CAPTURE_INTERFACE, "Describe", NULL, CALL_MAY_ASK, 's',
                                      error, ret_json);
}

int bus_capture_read_reason(BusClient *client, const char *path, Error *error, char **ret) {
        CLEANUP_JSON struct json_object *description = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *reason;
        char *copy;
        int r;

        r = bus_client_call_simple(client, path, KTRACED_CAPTURE_INTERFACE, "Describe", NULL,
                                   CALL_BRIEF | CALL_NO_AUTO_START, 's', error, &text);
        if (r >= 0)
                r = describe_parse(text, error, &description);
        if (r < 0)
                return r;
        if (!json_object_object_get_ex(description, "reason", &reason) || !reason)
                return 0;
        copy = strdup(json_object_get_string(reason));
        if (!copy)
                return error_set_errno(error, -ENOMEM, "Cannot read the capture");
        *ret = copy;
        return 0;
}

int bus_capture_open(BusClient *client, const char *path, uint32_t segment, Error *error, int *ret_fd) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r, fd;

        if (client->remote)
                return error_set(error, ERROR_NOT_SUPPORTED, "Files cannot be handed over from another host");
        r = bus_client_new_call(client, path, KTRACED_CAPTURE_INTERFACE, "Open", error, &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(call, 'u', &segment);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_MAY_ASK, error, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'h', &fd);
        if (r < 0)
                return bus_client_message_error(r, error);
        /* The message owns its descriptor. */
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return error_set_errno(error, -errno, "Cannot keep the descriptor");
        *ret_fd = fd;
        return 0;
}

int bus_capture_pin(BusClient *client, const char *path, bool pinned, Error *error) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = bus_client_new_call(client, path, KTRACED_CAPTURE_INTERFACE, "Pin", error, &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "b", (int) pinned);
        return r < 0 ? bus_client_message_error(r, error) : bus_client_call(client, call, CALL_MAY_ASK, error, NULL);
}

int bus_capture_delete(BusClient *client, const char *path, Error *error) {
        return bus_client_call_simple(client, path, KTRACED_CAPTURE_INTERFACE, "Delete", NULL,
                                      CALL_MAY_ASK | CALL_MAY_LAST, 0, error, NULL);
}

int bus_capture_get_status(BusClient *client, const char *path, Error *error, CaptureStatus *ret) {
        CLEANUP(capture_status_clear) CaptureStatus status = { 0 };
        const BusProperty properties[] = {
                { "Id", 's', &status.id },
                { "State", 's', &status.state },
                { "Events", 't', &status.events },
                { "Bytes", 't', &status.bytes },
                { "Lost", 't', &status.lost },
                { "Segments", 'u', &status.segments },
                { "RawBytes", 't', &status.raw_bytes },
        };
        int r;

        r = bus_properties_get(client, path, KTRACED_CAPTURE_INTERFACE, properties, ELEMENTSOF(properties), error);
        if (r < 0)
                return r;
        capture_status_clear(ret);
        *ret = status;
        status = (CaptureStatus){ 0 };
        return 0;
}
