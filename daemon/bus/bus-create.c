/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-create.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-authorize.h"
#include "bus/bus-details.h"
#include "bus/bus-path.h"
#include "bus/bus-spec.h"
#include "core/parse.h"
#include "core/strv.h"

int bus_create_parse(BusCall *call, Error *error) {
        int r;

        r = sd_bus_message_read(call->message, "s", &call->text);
        if (r < 0)
                return r;

        /* The name itself is not shown: it may hold anything. */
        if (call->text[0] != '\0' && !name_is_valid(call->text))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "name: 1 to 64 characters of [A-Za-z0-9._@-], not beginning with '.' or '-', "
                                 "are allowed");

        return bus_spec_read(call->message, error, &call->spec);
}

int bus_create_parse_try(BusCall *call, Error *error) {
        static const SpecKey taken[] = { SPEC_PROBES, SPEC_PROBE_FILES, SPEC_FILTERS };
        int r;

        r = bus_spec_read(call->message, error, &call->spec);
        if (r < 0)
                return r;
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                bool is_taken = false;

                for (size_t i = 0; i < ELEMENTSOF(taken); i++)
                        is_taken |= taken[i] == (SpecKey) key;
                if (!is_taken && spec_is_given(call->spec, (SpecKey) key))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: probes are tried without it",
                                         spec_key_name((SpecKey) key));
        }
        if (strv_length(call->spec->probes) == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "probes: at least one is needed");
        return 0;
}

static void on_resolved(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;
        ResolvedSpec *resolved;

        if (r < 0) {
                bus_call_fail(call, r, error);
                return;
        }

        resolved = *(ResolvedSpec **) result;
        call->powers = resolved->powers;
        r = bus_details_add_spec(call, resolved, call->powers);
        /* What is authorized is what the session gets, whatever becomes of the profile meanwhile. */
        call->resolved = STEAL_PTR(*(ResolvedSpec **) result);
        if (r < 0) {
                bus_call_fail(call, r, NULL);
                return;
        }

        bus_authorize(call);
}

void bus_create_prepare(BusCall *call) {
        Identity owner = { .uid = call->uid };

        /* What the bus said of the caller when it connected. */
        bus_peers_get_groups(call->bus->peers, call->sender, &owner.gids, &owner.n_gids);
        manager_resolve(call->bus->manager, STEAL_PTR(call->spec), &owner, on_resolved, call);
}

/* NULL after the call has been failed. */
static Session *call_create(BusCall *call) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Session *session;
        int r;

        r = manager_create_session(call->bus->manager, call->text, call->sender, STEAL_PTR(call->resolved), &error,
                                   &session);
        if (r < 0) {
                bus_call_fail(call, r, &error);
                return NULL;
        }

        return session;
}

static void call_reply_session(BusCall *call, const Session *session) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_path_of_session(session->id, &path);
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "o", path);
}

void bus_create_execute(BusCall *call) {
        const Session *session = call_create(call);

        if (session)
                call_reply_session(call, session);
}

/* The client hears why starting failed, not how removing went. */
static void on_removed(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;
        CLEANUP(error_clear) Error failure = ERROR_INIT;

        error_move(&failure, &call->failure);
        bus_call_fail(call, -error_code_to_errno(failure.code), &failure);
}

static void on_started(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;
        Session *session;

        if (r >= 0) {
                call_reply_session(call, result);
                return;
        }

        (void) error_set(&call->failure, error->code, "%s", error_text(error));
        session = bus_path_find_session(call->bus->manager, call->target);
        if (session)
                session_remove(session, "failed", on_removed, call);
        else
                on_removed(0, NULL, NULL, call);
}

void bus_create_execute_and_start(BusCall *call) {
        Session *session = call_create(call);

        if (!session)
                return;

        /* While it starts, it can be removed by others. */
        call->target = strdup(session->id);
        if (!call->target) {
                (void) error_set(&call->failure, ERROR_NO_MEMORY, "Out of memory");
                session_remove(session, "failed", on_removed, call);
                return;
        }

        session_start(session, on_started, call);
}

static void reload(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_reload(session, STEAL_PTR(call->resolved), bus_call_done, call);
}

static void on_resolved_anew(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;
        const Session *session = r < 0 ? NULL : bus_call_session(call);

        if (r < 0) {
                bus_call_fail(call, r, error);
                return;
        }
        if (!session)
                return;
        call->resolved = STEAL_PTR(*(ResolvedSpec **) result);
        call->powers = call->resolved->powers;
        r = bus_details_change_spec(call, session, call->resolved, call->powers);
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_authorize_powers(call, reload);
}

void bus_create_execute_reload(BusCall *call) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const Session *session = bus_call_session(call);
        Spec *spec;
        int r = 0;

        if (!session)
                return;
        if (!session->asked)
                r = error_set(&error, ERROR_WRONG_STATE, "Cannot reload session '%s': it was made without a profile",
                              session->name);
        else if (session->spec->output >= 0)
                r = error_set(&error, ERROR_WRONG_STATE,
                              "Cannot reload session '%s': it writes into one file of its client's", session->name);
        if (r >= 0)
                r = spec_copy(session->asked, &spec);
        if (r < 0)
                bus_call_fail(call, r, &error);
        else
                manager_resolve(call->bus->manager, spec, &session->identity, on_resolved_anew, call);
}
