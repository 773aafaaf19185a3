/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus-call.h"
#include "bus/bus-create.h"
#include "bus/bus-path.h"
#include "bus/bus-snapshot.h"
#include "bus/bus-stream.h"
#include "core/strv.h"
#include "ktraced/protocol.h"
#include "model/histogram-reader.h"
#include "model/marker.h"

static void execute_start(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_start(session, bus_call_done, call);
}

static void execute_stop(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_stop(session, "stopped", bus_call_done, call);
}

static void execute_rotate(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_rotate(session, bus_call_done, call);
}

static void execute_clear(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_clear(session, bus_call_done, call);
}

static void execute_remove(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_remove(session, "removed", bus_call_done, call);
}

/* The descriptor lives with the message, which the call holds. */
static int parse_add_process(BusCall *call, Error *error) {
        return sd_bus_message_read(call->message, "h", &call->fd);
}

static void execute_add_process(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_add_process(session, call->fd, bus_call_done, call);
}

/* The name is for whoever reads the trace; a process that has gone has none. */
static void read_comm(pid_t pid, char *ret, size_t size) {
        CLEANUP_FCLOSE FILE *file = NULL;
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/%d/comm", (int) pid);
        file = fopen(path, "re");
        if (!file || !fgets(ret, (int) size, file))
                (void) snprintf(ret, size, "<...>");
        ret[strcspn(ret, "\n")] = '\0';
}

static void on_marker(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, "h", *(int *) result);
}

static void execute_open_marker(BusCall *call) {
        Session *session = bus_call_session(call);
        char comm[32];
        pid_t pid;

        if (!session)
                return;

        pid = bus_peers_get_pid(call->bus->peers, call->sender);
        read_comm(pid, comm, sizeof(comm));
        session_open_marker(session, pid, comm, on_marker, call);
}

static int parse_read_histogram(BusCall *call, Error *error) {
        return sd_bus_message_read(call->message, "s", &call->text);
}

static void on_histogram(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, "s", (const char *) result);
}

static void execute_read_histogram(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_read_histogram(session, call->text, on_histogram, call);
}

/* What could not be measured is left out. */
static void on_measured(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;
        const Session *session = bus_call_session(call);
        CLEANUP_FREE char *json = NULL;

        if (!session)
                return;

        r = session_describe(session, &json);
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "s", json);
}

static void execute_describe(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_measure(session, on_measured, call);
}

void bus_session_emit_changed(Bus *bus, const Session *session) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_session(session->id, &path) >= 0)
                (void) sd_bus_emit_properties_changed(bus->bus, path, KTRACED_SESSION_INTERFACE, "State",
                                                      "StartedTimestamp", "StoppedTimestamp", "Capture", NULL);
}

void bus_session_emit_lost(Bus *bus, const Session *session, uint64_t n_new) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_session(session->id, &path) >= 0)
                (void) sd_bus_emit_signal(bus->bus, path, KTRACED_SESSION_INTERFACE, "EventsLost", "tt", n_new,
                                          session->lost);
}

/* Everybody hears it: which watch it was stands in the description. */
void bus_session_emit_watch(Bus *bus, const Session *session) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_session(session->id, &path) >= 0)
                (void) sd_bus_emit_signal(bus->bus, path, KTRACED_SESSION_INTERFACE, "WatchFired", "t",
                                          session->watches_fired);
}

/* Likewise: which events were the most stands in the description. */
void bus_session_emit_overhead(Bus *bus, const Session *session, const char *action, uint64_t rate, uint64_t share) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_session(session->id, &path) >= 0)
                (void) sd_bus_emit_signal(bus->bus, path, KTRACED_SESSION_INTERFACE, "OverheadExceeded", "stt",
                                          action, rate, share);
}

static int get_state(sd_bus *connection, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Session *session = userdata;

        return sd_bus_message_append(reply, "s", session_state_to_string(session->state));
}

static int get_mode(sd_bus *connection, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Session *session = userdata;

        return sd_bus_message_append(reply, "s", spec_is_ring(session->spec) ? "ring" : "stream");
}

static int get_scope(sd_bus *connection, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Session *session = userdata;

        return sd_bus_message_append(reply, "s", spec_scope(session->spec));
}

static int get_capture(sd_bus *connection, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Session *session = userdata;
        CLEANUP_FREE char *capture = NULL;
        int r;

        if (!session->capture)
                return sd_bus_message_append(reply, "o", "/");

        r = bus_path_of_capture(session->capture->metadata->id, &capture);
        if (r < 0)
                return r;

        return sd_bus_message_append(reply, "o", capture);
}

static const BusMethod methods[] = {
        { "Start", NULL, NULL, execute_start },
        { "Stop", NULL, NULL, execute_stop },
        { "Snapshot", bus_snapshot_parse, NULL, bus_snapshot_execute },
        { "Reload", NULL, NULL, bus_create_execute_reload },
        { "Rotate", NULL, NULL, execute_rotate },
        { "Clear", NULL, NULL, execute_clear },
        { "Remove", NULL, NULL, execute_remove },
        { "AddProcess", parse_add_process, NULL, execute_add_process },
        { "ReadHistogram", parse_read_histogram, NULL, execute_read_histogram },
        { "OpenStream", bus_stream_parse, NULL, bus_stream_execute },
        { "OpenMarker", NULL, NULL, execute_open_marker },
        { "Describe", NULL, NULL, execute_describe },
        { .member = NULL },
};

/* `userdata` is the session for now; a call keeps only its id. */
static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        const Session *session = userdata;
        Bus *bus = sd_bus_slot_get_userdata(sd_bus_get_current_slot(sd_bus_message_get_bus(message)));

        return bus_call_begin(bus, message, KTRACED_SESSION_INTERFACE, methods, session->id);
}

static int find(sd_bus *connection, const char *path, const char *interface, void *userdata, void **ret_found,
                sd_bus_error *ret_error) {
        const Bus *bus = userdata;
        CLEANUP_FREE char *id = NULL;
        Session *session;
        int r;

        r = bus_path_to_session_id(path, &id);
        if (r <= 0)
                return r;

        session = bus_path_find_session(bus->manager, id);
        if (!session)
                return 0;

        *ret_found = session;
        return 1;
}

static int enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *ret_error) {
        CLEANUP(strv_freep) char **nodes = NULL;
        const Bus *bus = userdata;
        const Session *session;
        int r;

        LIST_FOREACH(session, &bus->manager->sessions, sessions) {
                CLEANUP_FREE char *path = NULL;

                r = bus_path_of_session(session->id, &path);
                if (r < 0)
                        return r;
                r = strv_append(&nodes, path);
                if (r < 0)
                        return r;
        }

        *ret_nodes = STEAL_PTR(nodes);
        return 0;
}

int bus_session_add(Bus *bus, Error *error) {
        int r;

        r = bus_access_check_vtable(KTRACED_SESSION_INTERFACE, bus_session_vtable, error);
        if (r < 0)
                return r;

        r = sd_bus_add_fallback_vtable(bus->bus, NULL, KTRACED_SESSION_PATH, KTRACED_SESSION_INTERFACE,
                                       bus_session_vtable, find, bus);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus->bus, NULL, KTRACED_SESSION_PATH, enumerate, bus);

        return r < 0 ? error_set_errno(error, r, "Failed to add %s", KTRACED_SESSION_PATH) : 0;
}

/* SD_BUS_VTABLE_UNPRIVILEGED: see bus-manager.c. Properties without a function are read where they stand. */
const sd_bus_vtable bus_session_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rotate", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Snapshot", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", capture), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Clear", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddProcess", SD_BUS_ARGS("h", pidfd), SD_BUS_NO_RESULT, on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadHistogram", SD_BUS_ARGS("s", event), SD_BUS_RESULT("s", histograms), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenStream", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("h", stream), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenMarker", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", marker), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", description), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_SIGNAL_WITH_ARGS("EventsLost", SD_BUS_ARGS("t", new, "t", total), 0),
        SD_BUS_SIGNAL_WITH_ARGS("OverheadExceeded", SD_BUS_ARGS("s", action, "t", rate, "t", cpu_share), 0),
        SD_BUS_SIGNAL_WITH_ARGS("WatchFired", SD_BUS_ARGS("t", total), 0),

        SD_BUS_PROPERTY("Id", "s", NULL, offsetof(Session, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Owner", "u", NULL, offsetof(Session, owner), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Mode", "s", get_mode, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Scope", "s", get_scope, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CreatedTimestamp", "t", NULL, offsetof(Session, created), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartedTimestamp", "t", NULL, offsetof(Session, started),
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StoppedTimestamp", "t", NULL, offsetof(Session, stopped),
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Events", "t", NULL, offsetof(Session, events), 0),
        SD_BUS_PROPERTY("Bytes", "t", NULL, offsetof(Session, bytes), 0),
        SD_BUS_PROPERTY("Lost", "t", NULL, offsetof(Session, lost), 0),
        SD_BUS_PROPERTY("Capture", "o", get_capture, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

        SD_BUS_VTABLE_END,
};
