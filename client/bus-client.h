/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusClient: the connection to ktraced, over the system bus, over ssh to the bus of another host, or to a
 * daemon of its own (--embedded). The typed calls are in bus-manager.h, bus-session.h and bus-capture.h.
 *
 * Life cycle: bus_client_new() connects; calls; bus_client_free() closes the connection, ends the polkit
 * agent and waits for an embedded daemon.
 *
 * A call runs the event loop until its reply is there, so that signals and timers of the caller are served
 * meanwhile. Therefore calls must not be made from within an event source's callback.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "client/embedded.h"
#include "client/options.h"
#include "client/polkit-agent.h"
#include "core/error.h"

typedef struct BusClient {
        sd_event *event;
        sd_bus *bus;
        EmbeddedDaemon daemon; /* with --embedded */
        PolkitAgent agent;     /* begun by the first call that may ask */
        bool ask_password;
        bool remote; /* descriptors cannot be passed */
        bool cancelled;
} BusClient;

/* `globals` says where to connect. */
int bus_client_new(const Globals *globals, Error *error, BusClient **ret);
void bus_client_free(BusClient *client);
DEFINE_POINTER_CLEANUP(BusClient, bus_client_free);

/* The waiting call and those after it fail with ERROR_CANCELLED; callable from a callback. */
void bus_client_cancel(BusClient *client);

/* Ends the polkit agent before its time, where much else is to happen on the terminal. */
void bus_client_end_agent(BusClient *client);

typedef enum CallFlags {
        CALL_MAY_ASK = 1 << 0,       /* polkit may want a password: have an agent ready */
        CALL_MAY_LAST = 1 << 1,      /* no time limit: the answer waits for the disk */
        CALL_NO_AUTO_START = 1 << 2, /* do not have the bus start the daemon for this */
        CALL_BRIEF = 1 << 3,         /* nobody is asked for a password, and the answer is not worth waiting for */
} CallFlags;

int bus_client_new_call(BusClient *client, const char *path, const char *interface, const char *member, Error *error,
                        sd_bus_message **ret);

/* Sends `call` and waits for the reply. A D-Bus error becomes the Error, with the server's message. `ret` may
 * be NULL. */
int bus_client_call(BusClient *client, sd_bus_message *call, CallFlags flags, Error *error, sd_bus_message **ret);

/* The whole of a call whose arguments and single result are strings: `argument` NULL for a method without
 * one; `type` is that of the result ('s' or 'o'), 0 for a method without one (then `ret` is NULL). The caller
 * frees *ret. */
int bus_client_call_simple(BusClient *client, const char *path, const char *interface, const char *member,
                           const char *argument, CallFlags flags, char type, Error *error, char **ret);

/* The error of a failed sd_bus_message_*() function. Returns `r`. */
int bus_client_message_error(int r, Error *error);
