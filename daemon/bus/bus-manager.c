/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-manager.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-call.h"
#include "bus/bus-capture-filter.h"
#include "bus/bus-create.h"
#include "bus/bus-measure.h"
#include "bus/bus-path.h"
#include "bus/bus-spec.h"
#include "bus/bus-vacuum.h"
#include "bus/notify.h"
#include "config.h"
#include "core/text.h"
#include "kernel/features.h"
#include "ktraced/protocol.h"

/* An id, a name or a pattern; none is longer, and errors quote it. */
static int parse_text(BusCall *call, Error *error) {
        int r;

        r = sd_bus_message_read(call->message, "s", &call->text);
        if (r < 0)
                return r;
        if (strlen(call->text) > SPEC_PATTERN_LENGTH)
                return error_set(error, ERROR_INVALID_ARGUMENT, "The argument has more than %u characters",
                                 SPEC_PATTERN_LENGTH);
        return 0;
}

static int parse_text_and_number(BusCall *call, Error *error) {
        int r = parse_text(call, error);

        return r < 0 ? r : sd_bus_message_read(call->message, "u", &call->number);
}

static void call_reply_path(BusCall *call, int r, const char *path) {
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "o", path);
}

/* Takes over the text of a description, made with result `r`. */
static void call_reply_json(BusCall *call, int r, char *json) {
        CLEANUP_FREE char *text = json;

        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "s", text);
}

/* A name is of interest to its owner, and reveals what others work on. */
static const char *visible_name(const BusCall *call, uid_t owner, const char *name) {
        return call->uid == 0 || call->uid == owner ? name : "";
}

static void execute_get_session(BusCall *call) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *path = NULL;
        Session *session;
        int r;

        r = manager_find_session(call->bus->manager, call->text, call->uid, &error, &session);
        if (r < 0) {
                bus_call_fail(call, r, &error);
                return;
        }

        r = bus_path_of_session(session->id, &path);
        call_reply_path(call, r, path);
}

static int append_session_row(const BusCall *call, sd_bus_message *reply, const Session *session) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_path_of_session(session->id, &path);
        if (r < 0)
                return r;

        return sd_bus_message_append(reply, KTRACED_SESSION_ROW, session->id,
                                     visible_name(call, session->owner, session->name), (uint32_t) session->owner,
                                     session_state_to_string(session->state),
                                     spec_is_ring(session->spec) ? "ring" : "stream", path);
}

static int append_sessions(const BusCall *call, sd_bus_message *reply) {
        const Session *session;
        int r;

        r = sd_bus_message_open_container(reply, 'a', KTRACED_SESSION_ROW);
        if (r < 0)
                return r;

        LIST_FOREACH(session, &call->bus->manager->sessions, sessions) {
                r = append_session_row(call, reply, session);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

static void execute_list_sessions(BusCall *call) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = append_sessions(call, reply);

        bus_call_reply_message(call, r, reply);
}

static int append_capture_row(const BusCall *call, sd_bus_message *reply, const CaptureMetadata *metadata) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_path_of_capture(metadata->id, &path);
        if (r < 0)
                return r;

        return sd_bus_message_append(reply, KTRACED_CAPTURE_ROW, metadata->id, metadata->session_id,
                                     visible_name(call, metadata->owner, metadata->session_name),
                                     (uint32_t) metadata->owner, capture_state_to_string(metadata->state),
                                     metadata->start_realtime, metadata->bytes, metadata->events, metadata->lost,
                                     (uint32_t) metadata->n_segments, path);
}

static int append_captures(const BusCall *call, sd_bus_message *reply) {
        const Capture *capture;
        int r;

        r = sd_bus_message_open_container(reply, 'a', KTRACED_CAPTURE_ROW);
        if (r < 0)
                return r;

        LIST_FOREACH(capture, &call->bus->manager->captures, captures) {
                if (!bus_capture_filter_selects(call, capture->metadata))
                        continue;

                r = append_capture_row(call, reply, capture->metadata);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

static void execute_list_captures(BusCall *call) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = append_captures(call, reply);

        bus_call_reply_message(call, r, reply);
}

static void execute_get_capture(BusCall *call) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *path = NULL;
        Capture *capture;
        int r;

        r = manager_find_capture(call->bus->manager, call->text, &error, &capture);
        if (r < 0) {
                bus_call_fail(call, r, &error);
                return;
        }

        r = bus_path_of_capture(capture->metadata->id, &path);
        call_reply_path(call, r, path);
}

static void on_strv(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply_strv(call, result);
}

static void on_json(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, "s", (const char *) result);
}

static void execute_try_probes(BusCall *call) {
        manager_try_probes(call->bus->manager, STEAL_PTR(call->resolved), on_json, call);
}

static void execute_list_events(BusCall *call) {
        manager_query(call->bus->manager, QUERY_EVENTS, call->text, on_strv, call);
}

static void execute_describe_event(BusCall *call) {
        manager_query(call->bus->manager, QUERY_DESCRIBE_EVENT, call->text, on_json, call);
}

static void execute_list_tracers(BusCall *call) {
        manager_query(call->bus->manager, QUERY_TRACERS, NULL, on_strv, call);
}

static void execute_list_functions(BusCall *call) {
        manager_list_functions(call->bus->manager, call->text, call->number, on_strv, call);
}

static int append_profiles(const Profiles *profiles, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ss)");
        if (r < 0)
                return r;

        for (size_t i = 0; profiles && i < profiles->n_profiles; i++) {
                const Profile *profile = profiles->profiles[i];

                r = sd_bus_message_append(reply, "(ss)", profile->name,
                                          profile->description ? profile->description : "");
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

static void execute_list_profiles(BusCall *call) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = append_profiles(call->bus->manager->profiles, reply);

        bus_call_reply_message(call, r, reply);
}

static void execute_describe_profile(BusCall *call) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const Profile *profile;
        char *json = NULL;
        int r;

        r = profiles_find(call->bus->manager->profiles, call->text, &error, &profile);
        if (r < 0) {
                bus_call_fail(call, r, &error);
                return;
        }

        r = profile_describe(profile, &json);
        call_reply_json(call, r, json);
}

static int append_strv_entry(sd_bus_message *reply, const char *key, char *const *strv) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "s", key);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(reply, (char **) strv);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(reply);
}

static int append_features(sd_bus_message *reply, const FeatureReport *report) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;

        for (size_t i = 0; i < report->n_features; i++) {
                const Feature *feature = &report->features[i];

                if (feature->available)
                        r = sd_bus_message_append(reply, "{sv}", feature->name, "b", true);
                else
                        r = sd_bus_message_append(reply, "{sv}", feature->name, "s", feature->reason);
                if (r < 0)
                        return r;
        }

        r = append_strv_entry(reply, "clocks", report->clocks);
        if (r < 0)
                return r;
        r = append_strv_entry(reply, "options", report->options);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(reply);
}

static void on_features(int r, const Error *error, void *result, void *userdata) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusCall *call = userdata;

        if (r < 0) {
                bus_call_fail(call, r, error);
                return;
        }

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = append_features(reply, result);

        bus_call_reply_message(call, r, reply);
}

static void execute_capabilities(BusCall *call) {
        manager_query(call->bus->manager, QUERY_CAPABILITIES, NULL, on_features, call);
}

static void execute_describe(BusCall *call) {
        char *json = NULL;
        int r;

        r = manager_describe(call->bus->manager, call->uid, &json);
        call_reply_json(call, r, json);
}

static void on_reloaded(int r, const Error *error, void *result, void *userdata) {
        const BusCall *call = userdata;

        notify_ready(call->bus->manager);
        bus_call_done(r, error, NULL, userdata);
}

static void execute_reload(BusCall *call) {
        notify_reloading();
        manager_reload(call->bus->manager, on_reloaded, call);
}

static void emit(Bus *bus, const char *signal, const char *id, const char *path) {
        int r = sd_bus_emit_signal(bus->bus, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, signal, "so", id, path);

        if (r < 0)
                log_write(bus->config.log, LOG_WARNING, NULL, "Failed to emit %s: %s", signal, strerror(-r));
}

void bus_manager_emit_session(Bus *bus, const char *signal, const Session *session) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_session(session->id, &path) >= 0)
                emit(bus, signal, session->id, path);
}

void bus_manager_emit_capture(Bus *bus, const char *signal, const Capture *capture) {
        CLEANUP_FREE char *path = NULL;

        if (bus_path_of_capture(capture->metadata->id, &path) >= 0)
                emit(bus, signal, capture->metadata->id, path);
}

static int get_version(sd_bus *connection, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        return sd_bus_message_append(reply, "s", KTRACED_VERSION);
}

static int get_n_sessions(sd_bus *connection, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Bus *bus = userdata;
        const Session *session;
        uint32_t n = 0;

        LIST_FOREACH(session, &bus->manager->sessions, sessions)
                n++;

        return sd_bus_message_append(reply, "u", n);
}

static int get_n_captures(sd_bus *connection, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Bus *bus = userdata;
        const Capture *capture;
        uint32_t n = 0;

        LIST_FOREACH(capture, &bus->manager->captures, captures)
                n++;

        return sd_bus_message_append(reply, "u", n);
}

static const BusMethod methods[] = {
        { "CreateSession", bus_create_parse, bus_create_prepare, bus_create_execute },
        { "StartSession", bus_create_parse, bus_create_prepare, bus_create_execute_and_start },
        { "TryProbes", bus_create_parse_try, bus_create_prepare, execute_try_probes },
        { "EstimateSession", bus_measure_parse_estimate, bus_create_prepare, bus_measure_execute_estimate },
        { "MeasureEvents", bus_measure_parse, bus_create_prepare, bus_measure_execute },
        { "GetSession", parse_text, NULL, execute_get_session },
        { "ListSessions", NULL, NULL, execute_list_sessions },
        { "ListCaptures", bus_capture_filter_parse, NULL, execute_list_captures },
        { "GetCapture", parse_text, NULL, execute_get_capture },
        { "ListEvents", parse_text, NULL, execute_list_events },
        { "DescribeEvent", parse_text, NULL, execute_describe_event },
        { "ListTracers", NULL, NULL, execute_list_tracers },
        { "ListFunctions", parse_text_and_number, NULL, execute_list_functions },
        { "ListProfiles", NULL, NULL, execute_list_profiles },
        { "DescribeProfile", parse_text, NULL, execute_describe_profile },
        { "Capabilities", NULL, NULL, execute_capabilities },
        { "Describe", NULL, NULL, execute_describe },
        { "Vacuum", bus_vacuum_parse, NULL, bus_vacuum_execute },
        { "Reload", NULL, NULL, execute_reload },
        { .member = NULL },
};

static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        return bus_call_begin(userdata, message, KTRACED_MANAGER_INTERFACE, methods, NULL);
}

int bus_manager_add(Bus *bus, Error *error) {
        int r;

        r = bus_access_check_vtable(KTRACED_MANAGER_INTERFACE, bus_manager_vtable, error);
        if (r < 0)
                return r;

        r = sd_bus_add_object_vtable(bus->bus, NULL, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE,
                                     bus_manager_vtable, bus);
        return r < 0 ? error_set_errno(error, r, "Failed to add %s", KTRACED_OBJECT_PATH) : 0;
}

/* Every entry is SD_BUS_VTABLE_UNPRIVILEGED: without it sd-bus asks the bus daemon for the sender's
 * capabilities, and waits. Who may call what stands in bus-access.c. */
const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_METHOD_WITH_ARGS("CreateSession", SD_BUS_ARGS("s", name, "a{sv}", spec), SD_BUS_RESULT("o", session),
                                on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StartSession", SD_BUS_ARGS("s", name, "a{sv}", spec), SD_BUS_RESULT("o", session),
                                on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TryProbes", SD_BUS_ARGS("a{sv}", spec), SD_BUS_RESULT("s", description), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("EstimateSession", SD_BUS_ARGS("a{sv}", spec, "a{sv}", options),
                                SD_BUS_RESULT("s", estimate), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MeasureEvents", SD_BUS_ARGS("as", patterns, "a{sv}", options),
                                SD_BUS_RESULT("s", rates), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSession", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", session), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListSessions", SD_BUS_NO_ARGS, SD_BUS_RESULT("a" KTRACED_SESSION_ROW, sessions),
                                on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListCaptures", SD_BUS_ARGS("a{sv}", filter),
                                SD_BUS_RESULT("a" KTRACED_CAPTURE_ROW, captures), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetCapture", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", capture), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListEvents", SD_BUS_ARGS("s", glob), SD_BUS_RESULT("as", events), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DescribeEvent", SD_BUS_ARGS("s", event), SD_BUS_RESULT("s", description), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListTracers", SD_BUS_NO_ARGS, SD_BUS_RESULT("as", tracers), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListFunctions", SD_BUS_ARGS("s", glob, "u", max), SD_BUS_RESULT("as", functions),
                                on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListProfiles", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ss)", profiles), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DescribeProfile", SD_BUS_ARGS("s", name), SD_BUS_RESULT("s", description), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Capabilities", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", capabilities), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", description), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Vacuum", SD_BUS_ARGS("a{sv}", limits), SD_BUS_RESULT("t", bytes), on_call,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_SIGNAL_WITH_ARGS("SessionNew", SD_BUS_ARGS("s", id, "o", session), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SessionRemoved", SD_BUS_ARGS("s", id, "o", session), 0),
        SD_BUS_SIGNAL_WITH_ARGS("CaptureNew", SD_BUS_ARGS("s", id, "o", capture), 0),
        SD_BUS_SIGNAL_WITH_ARGS("CaptureRemoved", SD_BUS_ARGS("s", id, "o", capture), 0),

        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NSessions", "u", get_n_sessions, 0, 0),
        SD_BUS_PROPERTY("NCaptures", "u", get_n_captures, 0, 0),

        SD_BUS_VTABLE_END,
};
