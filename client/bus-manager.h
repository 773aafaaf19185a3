/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The methods of org.ktraced1.Manager, one function each; see dbus/org.ktraced1.Manager.xml. All return 0, or
 * -errno with the server's message in `error`; results are the caller's to free.
 */

#include "client/bus-client.h"
#include "client/bus-rows.h"
#include "client/spec-args.h"
#include "core/retention.h"

/* Which captures are meant; what is NULL or 0 does not limit it. */
typedef struct CaptureQuery {
        const char *session_id;
        bool has_owner;
        uid_t owner;
        const char *state;
        const char *reason;    /* a pattern with * and ? */
        uint64_t since, until; /* of the start: usec since the epoch */
} CaptureQuery;

int bus_manager_create_session(BusClient *client, const char *name, const SpecArgs *spec, Error *error,
                               char **ret_path);
int bus_manager_start_session(BusClient *client, const char *name, const SpecArgs *spec, Error *error,
                              char **ret_path);
/* `spec` has probes and nothing else. *ret_json: what their events look like. */
int bus_manager_try_probes(BusClient *client, const SpecArgs *spec, Error *error, char **ret_json);
int bus_manager_get_session(BusClient *client, const char *id_or_name, Error *error, char **ret_path);
int bus_manager_list_sessions(BusClient *client, Error *error, SessionRows *ret);
int bus_manager_list_captures(BusClient *client, const CaptureQuery *query, Error *error, CaptureRows *ret);
int bus_manager_get_capture(BusClient *client, const char *id, Error *error, char **ret_path);
int bus_manager_list_events(BusClient *client, const char *pattern, Error *error, char ***ret);
/* `patterns`: NULL terminated. `duration`: usec, 0: the default. */
int bus_manager_measure_events(BusClient *client, char *const *patterns, uint64_t duration, Error *error,
                               char **ret_json);
/* What a session by that spec would cost. */
int bus_manager_estimate_session(BusClient *client, const SpecArgs *spec, Error *error, char **ret_json);
int bus_manager_describe_event(BusClient *client, const char *event, Error *error, char **ret_json);
/* At most `max`; 0: all. */
int bus_manager_list_functions(BusClient *client, const char *pattern, unsigned max, Error *error, char ***ret);
int bus_manager_list_tracers(BusClient *client, Error *error, char ***ret);
int bus_manager_list_profiles(BusClient *client, Error *error, ProfileRows *ret);
int bus_manager_describe_profile(BusClient *client, const char *name, Error *error, char **ret_json);
int bus_manager_capabilities(BusClient *client, Error *error, CapabilityRows *ret);
int bus_manager_describe(BusClient *client, Error *error, char **ret_json);
int bus_manager_reload(BusClient *client, Error *error);

/* Limits of 0 are none. *ret: bytes of the captures that were deleted. */
int bus_manager_vacuum(BusClient *client, const RetentionLimits *limits, Error *error, uint64_t *ret);
