/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-capture.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-call.h"
#include "bus/bus-path.h"
#include "core/strv.h"
#include "ktraced/protocol.h"

static void execute_describe(BusCall *call) {
        const Capture *capture = bus_call_capture(call);
        CLEANUP_FREE char *json = NULL;
        int r;

        if (!capture)
                return;

        r = capture_describe(capture, &json);
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "s", json);
}

static int parse_open(BusCall *call, Error *error) {
        return sd_bus_message_read(call->message, "u", &call->number);
}

/* sd-bus duplicates the descriptor; the one in `result` is left to the model. */
static void on_opened(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, "h", *(const int *) result);
}

static void execute_open(BusCall *call) {
        Capture *capture = bus_call_capture(call);

        if (capture)
                capture_open(capture, call->number, on_opened, call);
}

static int parse_pin(BusCall *call, Error *error) {
        return sd_bus_message_read(call->message, "b", &call->flag);
}

static void execute_pin(BusCall *call) {
        Capture *capture = bus_call_capture(call);

        if (capture)
                capture_set_pinned(capture, call->flag, bus_call_done, call);
}

static void execute_delete(BusCall *call) {
        Capture *capture = bus_call_capture(call);

        if (capture)
                capture_delete(capture, bus_call_done, call);
}

void bus_capture_emit_changed(Bus *bus, const Capture *capture) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_capture(capture->metadata->id, &path) >= 0)
                (void) sd_bus_emit_properties_changed(bus->bus, path, KTRACED_CAPTURE_INTERFACE, "State",
                                                      "EndTimestamp", NULL);
}

static int get_state(sd_bus *connection, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const CaptureMetadata *metadata = userdata;

        return sd_bus_message_append(reply, "s", capture_state_to_string(metadata->state));
}

static int get_raw_bytes(sd_bus *connection, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const CaptureMetadata *metadata = userdata;

        return sd_bus_message_append(reply, "t", metadata->bytes + metadata_saved_bytes(metadata));
}

static int get_segments(sd_bus *connection, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const CaptureMetadata *metadata = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) metadata->n_segments);
}

static const BusMethod methods[] = {
        { "Describe", NULL, NULL, execute_describe },
        { "Open", parse_open, NULL, execute_open },
        { "Pin", parse_pin, NULL, execute_pin },
        { "Delete", NULL, NULL, execute_delete },
        { .member = NULL },
};

/* `userdata` is the metadata for now; a call keeps only the id. */
static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        const CaptureMetadata *metadata = userdata;
        Bus *bus = sd_bus_slot_get_userdata(sd_bus_get_current_slot(sd_bus_message_get_bus(message)));

        return bus_call_begin(bus, message, KTRACED_CAPTURE_INTERFACE, methods, metadata->id);
}

static int find(sd_bus *connection, const char *path, const char *interface, void *userdata, void **ret_found,
                sd_bus_error *ret_error) {
        const Bus *bus = userdata;
        CLEANUP_FREE char *id = NULL;
        const Capture *capture;
        int r;

        r = bus_path_to_capture_id(path, &id);
        if (r <= 0)
                return r;

        capture = bus_path_find_capture(bus->manager, id);
        if (!capture)
                return 0;

        *ret_found = capture->metadata;
        return 1;
}

static int enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *ret_error) {
        CLEANUP(strv_freep) char **nodes = NULL;
        const Bus *bus = userdata;
        const Capture *capture;
        int r;

        LIST_FOREACH(capture, &bus->manager->captures, captures) {
                CLEANUP_FREE char *path = NULL;

                r = bus_path_of_capture(capture->metadata->id, &path);
                if (r < 0)
                        return r;
                r = strv_append(&nodes, path);
                if (r < 0)
                        return r;
        }

        *ret_nodes = STEAL_PTR(nodes);
        return 0;
}

int bus_capture_add(Bus *bus, Error *error) {
        int r;

        r = bus_access_check_vtable(KTRACED_CAPTURE_INTERFACE, bus_capture_vtable, error);
        if (r < 0)
                return r;

        r = sd_bus_add_fallback_vtable(bus->bus, NULL, KTRACED_CAPTURE_PATH, KTRACED_CAPTURE_INTERFACE,
                                       bus_capture_vtable, find, bus);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus->bus, NULL, KTRACED_CAPTURE_PATH, enumerate, bus);

        return r < 0 ? error_set_errno(error, r, "Failed to add %s", KTRACED_CAPTURE_PATH) : 0;
}

/* SD_BUS_VTABLE_UNPRIVILEGED: see bus-manager.c. Properties without a function are read where they stand. */
const sd_bus_vtable bus_capture_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", description), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Open", SD_BUS_ARGS("u", segment), SD_BUS_RESULT("h", file), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Pin", SD_BUS_ARGS("b", pinned), SD_BUS_NO_RESULT, on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_PROPERTY("Id", "s", NULL, offsetof(CaptureMetadata, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Session", "s", NULL, offsetof(CaptureMetadata, session_id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Owner", "u", NULL, offsetof(CaptureMetadata, owner), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StartTimestamp", "t", NULL, offsetof(CaptureMetadata, start_realtime),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("EndTimestamp", "t", NULL, offsetof(CaptureMetadata, end_realtime),
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Events", "t", NULL, offsetof(CaptureMetadata, events), 0),
        SD_BUS_PROPERTY("Bytes", "t", NULL, offsetof(CaptureMetadata, bytes), 0),
        SD_BUS_PROPERTY("RawBytes", "t", get_raw_bytes, 0, 0),
        SD_BUS_PROPERTY("Lost", "t", NULL, offsetof(CaptureMetadata, lost), 0),
        SD_BUS_PROPERTY("Segments", "u", get_segments, 0, 0),

        SD_BUS_VTABLE_END,
};
