/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/bus-manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-rows.h"
#include "core/strv.h"
#include "ktraced/protocol.h"

/* A method with a string argument or none, and a string or object path as its result. */
static int call_manager(BusClient *client, const char *member, const char *argument, CallFlags flags, char type,
                        Error *error, char **ret) {
        return bus_client_call_simple(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, member, argument, flags,
                                      type, error, ret);
}

/* A method with a string argument or none whose result the caller reads. */
static int query_manager(BusClient *client, const char *member, const char *argument, Error *error,
                         sd_bus_message **ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, member, error, &call);
        if (r < 0)
                return r;
        if (argument) {
                r = sd_bus_message_append_basic(call, 's', argument);
                if (r < 0)
                        return bus_client_message_error(r, error);
        }
        return bus_client_call(client, call, 0, error, ret);
}

static int query_strings(BusClient *client, const char *member, const char *argument, Error *error, char ***ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = query_manager(client, member, argument, error, &reply);
        if (r < 0)
                return r;
        r = bus_read_strings(reply, ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

/* Takes the one string, of type `type`, out of the reply. */
static int read_result(sd_bus_message *reply, char type, Error *error, char **ret) {
        const char *text;
        char *copy;
        int r;

        r = sd_bus_message_read_basic(reply, type, &text);
        if (r < 0)
                return bus_client_message_error(r, error);
        copy = strdup(text);
        if (!copy)
                return bus_client_message_error(-ENOMEM, error);
        *ret = copy;
        return 0;
}

/* `name` NULL: a method without one. `type` of the result: 'o' or 's'. */
static int call_with_spec(BusClient *client, const char *member, const char *name, const SpecArgs *spec, char type,
                          Error *error, char **ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        if (client->remote && spec->probes.paths)
                return error_set(error, ERROR_NOT_SUPPORTED, "Files of this host cannot be probed on another");
        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, member, error, &call);
        if (r < 0)
                return r;
        if (name)
                r = sd_bus_message_append_basic(call, 's', name);
        if (r >= 0)
                r = spec_args_append(spec, call);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_MAY_ASK, error, &reply);
        return r < 0 ? r : read_result(reply, type, error, ret);
}

int bus_manager_create_session(BusClient *client, const char *name, const SpecArgs *spec, Error *error,
                               char **ret_path) {
        return call_with_spec(client, "CreateSession", name, spec, 'o', error, ret_path);
}

int bus_manager_start_session(BusClient *client, const char *name, const SpecArgs *spec, Error *error,
                              char **ret_path) {
        return call_with_spec(client, "StartSession", name, spec, 'o', error, ret_path);
}

int bus_manager_try_probes(BusClient *client, const SpecArgs *spec, Error *error, char **ret_json) {
        return call_with_spec(client, "TryProbes", NULL, spec, 's', error, ret_json);
}

int bus_manager_get_session(BusClient *client, const char *id_or_name, Error *error, char **ret_path) {
        return call_manager(client, "GetSession", id_or_name, 0, 'o', error, ret_path);
}

int bus_manager_list_sessions(BusClient *client, Error *error, SessionRows *ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = query_manager(client, "ListSessions", NULL, error, &reply);
        if (r < 0)
                return r;
        r = bus_read_sessions(reply, ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

static int append_query(sd_bus_message *call, const CaptureQuery *query) {
        int r = sd_bus_message_open_container(call, 'a', "{sv}");

        if (r >= 0 && query->session_id)
                r = sd_bus_message_append(call, "{sv}", "session", "s", query->session_id);
        if (r >= 0 && query->has_owner)
                r = sd_bus_message_append(call, "{sv}", "owner", "u", (uint32_t) query->owner);
        if (r >= 0 && query->state)
                r = sd_bus_message_append(call, "{sv}", "state", "s", query->state);
        if (r >= 0 && query->reason)
                r = sd_bus_message_append(call, "{sv}", "reason", "s", query->reason);
        if (r >= 0 && query->since > 0)
                r = sd_bus_message_append(call, "{sv}", "since", "t", query->since);
        if (r >= 0 && query->until > 0)
                r = sd_bus_message_append(call, "{sv}", "until", "t", query->until);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

int bus_manager_list_captures(BusClient *client, const CaptureQuery *query, Error *error, CaptureRows *ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, "ListCaptures", error, &call);
        if (r < 0)
                return r;
        r = append_query(call, query);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, 0, error, &reply);
        if (r < 0)
                return r;
        r = bus_read_captures(reply, ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

int bus_manager_get_capture(BusClient *client, const char *id, Error *error, char **ret_path) {
        return call_manager(client, "GetCapture", id, 0, 'o', error, ret_path);
}

int bus_manager_list_events(BusClient *client, const char *pattern, Error *error, char ***ret) {
        return query_strings(client, "ListEvents", pattern, error, ret);
}

static int append_duration(sd_bus_message *call, uint64_t duration) {
        int r = sd_bus_message_open_container(call, 'a', "{sv}");

        if (r >= 0 && duration > 0)
                r = sd_bus_message_append(call, "{sv}", "duration", "t", duration);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

int bus_manager_measure_events(BusClient *client, char *const *patterns, uint64_t duration, Error *error,
                               char **ret_json) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, "MeasureEvents", error,
                                &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(call, (char **) patterns);
        if (r >= 0)
                r = append_duration(call, duration);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_MAY_ASK, error, &reply);
        return r < 0 ? r : read_result(reply, 's', error, ret_json);
}

int bus_manager_estimate_session(BusClient *client, const SpecArgs *spec, Error *error, char **ret_json) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        if (client->remote && spec->probes.paths)
                return error_set(error, ERROR_NOT_SUPPORTED, "Files of this host cannot be probed on another");
        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, "EstimateSession", error,
                                &call);
        if (r < 0)
                return r;
        r = spec_args_append(spec, call);
        if (r >= 0)
                r = append_duration(call, 0);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_MAY_ASK, error, &reply);
        return r < 0 ? r : read_result(reply, 's', error, ret_json);
}

int bus_manager_describe_event(BusClient *client, const char *event, Error *error, char **ret_json) {
        return call_manager(client, "DescribeEvent", event, 0, 's', error, ret_json);
}

int bus_manager_list_functions(BusClient *client, const char *pattern, unsigned max, Error *error, char ***ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, "ListFunctions", error,
                                &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "su", pattern, max);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, 0, error, &reply);
        if (r < 0)
                return r;
        r = bus_read_strings(reply, ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

int bus_manager_list_tracers(BusClient *client, Error *error, char ***ret) {
        return query_strings(client, "ListTracers", NULL, error, ret);
}

int bus_manager_list_profiles(BusClient *client, Error *error, ProfileRows *ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = query_manager(client, "ListProfiles", NULL, error, &reply);
        if (r < 0)
                return r;
        r = bus_read_profiles(reply, ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

int bus_manager_describe_profile(BusClient *client, const char *name, Error *error, char **ret_json) {
        return call_manager(client, "DescribeProfile", name, 0, 's', error, ret_json);
}

int bus_manager_capabilities(BusClient *client, Error *error, CapabilityRows *ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = query_manager(client, "Capabilities", NULL, error, &reply);
        if (r < 0)
                return r;
        r = bus_read_capabilities(reply, ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

int bus_manager_describe(BusClient *client, Error *error, char **ret_json) {
        return call_manager(client, "Describe", NULL, 0, 's', error, ret_json);
}

int bus_manager_reload(BusClient *client, Error *error) {
        return call_manager(client, "Reload", NULL, CALL_MAY_ASK, 0, error, NULL);
}

static int append_limit(sd_bus_message *call, const char *key, uint64_t value) {
        return value > 0 ? sd_bus_message_append(call, "{sv}", key, "t", value) : 0;
}

int bus_manager_vacuum(BusClient *client, const RetentionLimits *limits, Error *error, uint64_t *ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = bus_client_new_call(client, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, "Vacuum", error, &call);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = append_limit(call, "max_use", limits->max_use);
        if (r >= 0)
                r = append_limit(call, "max_files", limits->max_files);
        if (r >= 0)
                r = append_limit(call, "max_age", limits->max_age);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_MAY_ASK | CALL_MAY_LAST, error, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "t", ret);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}
