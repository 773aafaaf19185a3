/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusCall: one method call on its way from the message to the answer.
 *
 *   parse      the method's own function reads the arguments into the call
 *   (uid)      who sent it, asked of the bus daemon
 *   prepare    optional; asks the model what has to be authorized, then calls bus_authorize()
 *   (access)   the row in bus-access.c, and polkit
 *   execute    one call into the model; its answer becomes the reply
 *
 * Between these steps time passes: the sender may leave, and the object may go. So the object is looked up
 * by its id each time (bus_call_session(), bus_call_capture()), and a call whose sender has left ends.
 *
 * Life cycle: bus_call_begin() makes it; bus_call_reply*() or bus_call_fail() answer and free it. Each of
 * parse's failure, prepare and execute must lead to exactly one of them.
 */

#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "bus/bus-access.h"
#include "bus/bus.h"
#include "core/error.h"
#include "core/metadata.h"
#include "core/retention.h"
#include "core/spec.h"
#include "model/snapshot.h"

typedef struct BusMethod {
        const char *member;
        int (*parse)(BusCall *call, Error *error); /* NULL: no arguments */
        void (*prepare)(BusCall *call);            /* NULL: there is nothing to prepare */
        void (*execute)(BusCall *call);
} BusMethod;

/* What ListCaptures selects. */
typedef struct CaptureFilter {
        const char *session;   /* id, NULL: all */
        const char *reason;    /* a pattern for fnmatch(3), likewise */
        uint64_t since, until; /* of the start, both included, usec since the epoch */
        bool has_owner, has_state;
        uid_t owner;
        CaptureState state;
} CaptureFilter;

struct BusCall {
        LIST_ENTRY(BusCall) calls;
        Bus *bus;
        sd_bus_message *message;
        const BusMethod *method;
        const AccessRow *access;
        const char *sender; /* lives with the message */
        bool has_uid;
        uid_t uid;    /* of the sender, once known */
        char *target; /* id of the session or capture; NULL: the manager's object */

        /* What has to be authorized still. */
        const char *action;
        unsigned powers, power;             /* those to be asked for, and that which is */
        unsigned challenged;                /* for which somebody would have to authenticate */
        bool quiet;                         /* no dialog for now */
        char **details;                     /* strv: key, value, key, value */
        void (*then)(struct BusCall *call); /* in the place of execute, see bus_authorize_powers(); or NULL */

        /* Arguments, by method; strings and descriptors live with the message. */
        const char *text;
        Spec *spec;
        ResolvedSpec *resolved; /* once the model has looked at the spec */
        uint32_t number;
        int fd;
        CaptureFilter filter;
        SnapshotOptions snapshot;
        char **journal; /* snapshot.journal, owned */
        RetentionLimits vacuum;
        int flag;
        uint64_t duration; /* usec */

        /* A failure that is reported once what it left behind is gone. */
        Error failure;
};

/* For the handlers of the vtables. `methods` ends with a row without a member. `target`: see above, copied.
 * Returns what a handler returns. */
int bus_call_begin(Bus *bus, sd_bus_message *message, const char *interface, const BusMethod *methods,
                   const char *target);

/* The object that was called, or NULL after the call has been failed because the object is gone. */
Session *bus_call_session(BusCall *call);
Capture *bus_call_capture(BusCall *call);

void bus_call_reply(BusCall *call, const char *types, ...);
/* For replies that are built piece by piece. On failure `r` is -errno of the building. */
void bus_call_reply_message(BusCall *call, int r, sd_bus_message *reply);
void bus_call_reply_strv(BusCall *call, char *const *strv);
void bus_call_fail(BusCall *call, int r, const Error *error);
/* A ModelDone whose userdata is the call: replies without a value. */
void bus_call_done(int r, const Error *error, void *result, void *userdata);

/* Drops it without an answer; for the end of the bus. */
void bus_call_free(BusCall *call);
