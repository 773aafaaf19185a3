/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-authorize.h"

#include <string.h>

#include "bus/bus-path.h"
#include "ktraced/protocol.h"

/* The sender has left: there is nobody to answer, and nobody to whom what is begun would belong. */
static bool call_is_abandoned(BusCall *call) {
        uid_t uid;

        if (bus_peers_lookup(call->bus->peers, call->sender, &uid) && uid == call->uid)
                return false;

        bus_call_free(call);
        return true;
}

static void log_decision(const BusCall *call, int level, const char *outcome, const char *text) {
        const Session *session = bus_path_find_session(call->bus->manager, call->target);
        const Capture *capture = session ? NULL : bus_path_find_capture(call->bus->manager, call->target);
        Decision decision = {
                .method = call->method->member,
                .action = call->action ? call->action : call->access->action,
                .level = level,
                .outcome = outcome,
                .text = text,
                .caller = call->uid,
        };

        if (session) {
                decision.session = session->id;
                decision.session_name = session->name;
                decision.owner = &session->owner;
        } else if (capture) {
                decision.capture = capture->metadata->id;
                decision.session = capture->metadata->session_id;
                decision.session_name = capture->metadata->session_name;
                decision.owner = &capture->metadata->owner;
        } else if (call->access->rule == ACCESS_POWERS)
                decision.session_name = call->text && *call->text ? call->text : NULL;

        decision_log_write(call->bus->decisions, &decision);
}

/* What needs no question is told at debug level, or whoever looks at a session of theirs each second fills the
 * journal. */
static void execute_unasked(BusCall *call, const char *outcome) {
        log_decision(call, LOG_DEBUG, outcome, outcome);
        call->method->execute(call);
}

static void ask_next(BusCall *call);

static void on_answer(int r, const Error *error, void *userdata) {
        BusCall *call = userdata;

        /* Asked without a dialog, to see whether one is worth it. */
        if (call->quiet && r < 0 && error->code == ERROR_INTERACTION_REQUIRED) {
                call->challenged |= call->power;
                if (!call_is_abandoned(call))
                        ask_next(call);
                return;
        }

        if (r < 0) {
                log_decision(call, LOG_NOTICE, decision_outcome(error->code), error_text(error));
                bus_call_fail(call, r, error);
                return;
        }

        log_decision(call, LOG_INFO, DECISION_GRANTED, "authorized");
        if (!call_is_abandoned(call))
                ask_next(call);
}

static void ask_polkit(BusCall *call) {
        const BusPolkitQuestion question = {
                .peer = call->sender,
                .uid = call->uid,
                .action = call->action,
                .details = call->details,
                .interactive = !call->quiet && sd_bus_message_get_allow_interactive_authorization(call->message) > 0,
        };

        bus_polkit_check(call->bus->polkit, &call->bus->manager->settings, &question, on_answer, call);
}

/* The next of the powers; at the end the dialog for those that need one; at the very end what the call is for. */
static void ask_next(BusCall *call) {
        call->action = bus_access_next_action(&call->powers, &call->power);
        if (!call->action && call->challenged) {
                unsigned rest = call->challenged;

                call->quiet = false;
                call->challenged = 0;
                call->action = bus_access_next_action(&rest, &call->power);
                if (rest)
                        call->action = ACCESS_SEVERAL_POWERS;
        }

        if (call->action)
                ask_polkit(call);
        else if (call->then)
                call->then(call);
        else
                call->method->execute(call);
}

/* Owner of the called object. False: it is gone, and the call has been failed. */
static bool get_owner(BusCall *call, uid_t *ret) {
        if (strcmp(call->access->interface, KTRACED_SESSION_INTERFACE) == 0) {
                const Session *session = bus_call_session(call);

                if (session)
                        *ret = session->owner;
                return session;
        }

        const Capture *capture = bus_call_capture(call);

        if (capture)
                *ret = capture->metadata->owner;
        return capture;
}

static void refuse(BusCall *call) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = error_set(&error, ERROR_ACCESS_DENIED, "Only root may do this");

        log_decision(call, LOG_NOTICE, decision_outcome(error.code), error_text(&error));
        bus_call_fail(call, r, &error);
}

void bus_authorize(BusCall *call) {
        uid_t owner;

        if (call_is_abandoned(call))
                return;
        if (call->uid == 0) {
                execute_unasked(call, DECISION_ROOT);
                return;
        }

        switch (call->access->rule) {
        case ACCESS_OWNER:
                if (!get_owner(call, &owner))
                        return;
                if (owner == call->uid) {
                        execute_unasked(call, DECISION_OWNER);
                        return;
                }
                call->action = call->access->action;
                ask_polkit(call);
                return;

        case ACCESS_ACTION:
                call->action = call->access->action;
                ask_polkit(call);
                return;

        case ACCESS_POWERS:
                if (call->powers == 0)
                        break;
                /* More than one bit: a dialog for each would be one too many. */
                call->quiet = (call->powers & (call->powers - 1)) != 0;
                ask_next(call);
                return;

        case ACCESS_ROOT:
                break;
        }

        refuse(call);
}

void bus_authorize_powers(BusCall *call, void (*then)(BusCall *call)) {
        if (call_is_abandoned(call))
                return;
        if (call->uid == 0) {
                then(call);
                return;
        }
        if (call->powers == 0) {
                refuse(call);
                return;
        }
        call->then = then;
        call->quiet = (call->powers & (call->powers - 1)) != 0;
        ask_next(call);
}
