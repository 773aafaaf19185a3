/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus-authorize.h"
#include "bus/bus-details.h"
#include "bus/bus-error.h"
#include "bus/bus-path.h"
#include "core/strv.h"

/* Calls under way: of one user but root, and of all peers of whom it is not known yet whose they are. A call
 * keeps its message, with up to 16 descriptors and 32 MiB on the system bus, and many of them wait for a
 * thread that needs milliseconds for each. */
#define CALLS_PER_USER_MAX 64U
#define CALLS_UNKNOWN_MAX 64U

void bus_call_free(BusCall *call) {
        if (!call)
                return;

        LIST_REMOVE(call, calls);
        sd_bus_message_unref(call->message);
        free(call->target);
        strv_free(call->details);
        strv_free(call->journal);
        spec_free(call->spec);
        resolved_spec_free(call->resolved);
        error_clear(&call->failure);
        free(call);
}

void bus_call_fail(BusCall *call, int r, const Error *error) {
        int sent = bus_error_reply(call->message, r, error);

        if (sent < 0)
                log_write(call->bus->config.log, LOG_WARNING, NULL, "Failed to reply to %s: %s", call->method->member,
                          strerror(-sent));
        bus_call_free(call);
}

/* A reply that cannot be built or sent (too large, out of memory) must still end the call for its sender. */
static void call_finish(BusCall *call, int r) {
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_free(call);
}

void bus_call_reply(BusCall *call, const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = sd_bus_reply_method_returnv(call->message, types, ap);
        va_end(ap);

        call_finish(call, r);
}

void bus_call_reply_message(BusCall *call, int r, sd_bus_message *reply) {
        if (r >= 0)
                r = sd_bus_message_send(reply);

        call_finish(call, r);
}

void bus_call_reply_strv(BusCall *call, char *const *strv) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, (char **) strv);

        bus_call_reply_message(call, r, reply);
}

void bus_call_done(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, NULL);
}

static void call_fail_gone(BusCall *call, ErrorCode code, const char *what) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        r = error_set(&error, code, "No %s '%s'", what, call->target);
        bus_call_fail(call, r, &error);
}

Session *bus_call_session(BusCall *call) {
        Session *session = bus_path_find_session(call->bus->manager, call->target);

        if (!session)
                call_fail_gone(call, ERROR_NO_SUCH_SESSION, "session");
        return session;
}

Capture *bus_call_capture(BusCall *call) {
        Capture *capture = bus_path_find_capture(call->bus->manager, call->target);

        if (!capture)
                call_fail_gone(call, ERROR_NO_SUCH_CAPTURE, "capture");
        return capture;
}

static int call_check_quota(const BusCall *call, Error *error) {
        const BusCall *other;
        unsigned n = 0;

        LIST_FOREACH(other, &call->bus->calls, calls)
                if (other != call && other->has_uid == call->has_uid && (!call->has_uid || other->uid == call->uid))
                        n++;

        /* The two limits are equal at present. NOLINTNEXTLINE(bugprone-branch-clone) */
        if (n < (call->has_uid ? CALLS_PER_USER_MAX : CALLS_UNKNOWN_MAX))
                return 0;
        return error_set(error, ERROR_QUOTA_EXCEEDED, "%u calls of %s are pending, no more may be", n,
                         call->has_uid ? "this user" : "new clients");
}

static void call_on_uid(int r, uid_t uid, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        BusCall *call = userdata;

        if (r < 0) {
                r = error_set(&error, ERROR_ACCESS_DENIED, "The bus does not know who the caller is");
                bus_call_fail(call, r, &error);
                return;
        }
        call->uid = uid;
        call->has_uid = true;
        r = uid == 0 ? 0 : call_check_quota(call, &error);
        if (r < 0) {
                bus_call_fail(call, r, &error);
                return;
        }

        r = bus_details_add_target(call);
        if (r < 0) {
                bus_call_fail(call, r, NULL);
                return;
        }

        if (call->method->prepare)
                call->method->prepare(call);
        else
                bus_authorize(call);
}

static const BusMethod *find_method(const BusMethod *methods, const char *member) {
        for (const BusMethod *method = methods; method->member; method++)
                if (strcmp(method->member, member) == 0)
                        return method;

        return NULL;
}

int bus_call_begin(Bus *bus, sd_bus_message *message, const char *interface, const BusMethod *methods,
                   const char *target) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const char *member = sd_bus_message_get_member(message);
        const BusMethod *method = find_method(methods, member);
        const AccessRow *access = bus_access_find(interface, member);
        BusCall *call;
        uid_t uid;
        int r;

        if (!method || !access)
                return bus_error_reply(message, error_set(&error, ERROR_ACCESS_DENIED, "%s cannot be called", member),
                                       &error);

        call = calloc(1, sizeof(*call));
        if (!call)
                return -ENOMEM;

        call->bus = bus;
        call->message = sd_bus_message_ref(message);
        call->method = method;
        call->access = access;
        call->sender = bus_sender(bus, message);
        call->fd = -1;
        call->failure = ERROR_INIT;
        LIST_INSERT_HEAD(&bus->calls, call, calls);

        if (target) {
                call->target = strdup(target);
                if (!call->target) {
                        bus_call_free(call);
                        return -ENOMEM;
                }
        }

        /* Before memory and descriptors are taken for its arguments. */
        r = bus_peers_lookup(bus->peers, call->sender, &uid) ? 0 : call_check_quota(call, &error);
        if (r >= 0 && method->parse)
                r = method->parse(call, &error);
        if (r < 0) {
                bus_call_fail(call, r, &error);
                return 1;
        }

        bus_peers_query(bus->peers, call->sender, call_on_uid, call);
        return 1;
}
