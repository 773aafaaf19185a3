/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/bus-client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/protocol.h"

/* Longer than the 120 s that the daemon waits for polkit's answer. */
#define CALL_TIMEOUT (150ULL * 1000 * 1000)
#define CALL_BRIEF_TIMEOUT (3ULL * 1000 * 1000)

static int open_embedded(BusClient *client, Error *error) {
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = embedded_start(&client->daemon, error, &fd);
        if (r < 0)
                return r;
        r = sd_bus_new(&client->bus);
        if (r >= 0)
                r = sd_bus_set_fd(client->bus, fd, fd);
        if (r >= 0) {
                (void) steal_fd(&fd);
                r = sd_bus_negotiate_fds(client->bus, true);
        }
        if (r >= 0)
                r = sd_bus_start(client->bus);
        if (r < 0)
                return error_set_errno(error, r, "Cannot connect to the embedded ktraced");
        return 0;
}

static int open_bus(BusClient *client, const Globals *globals, Error *error) {
        int r;

        if (globals->embedded && globals->host)
                return error_set(error, ERROR_INVALID_ARGUMENT, "--embedded and --host exclude each other");
        if (globals->embedded)
                return open_embedded(client, error);
        if (globals->host) {
                r = sd_bus_open_system_remote(&client->bus, globals->host);
                return r < 0 ? error_set_errno(error, r, "Cannot connect to host '%s'", globals->host) : 0;
        }
        r = sd_bus_open_system(&client->bus);
        return r < 0 ? error_set_errno(error, r, "Cannot connect to the system bus") : 0;
}

/* The daemon's signals are for everybody. What somebody sends to this connection alone, the bus daemon has not
 * compared with our matches, and sd-bus cannot tell whose it is: another user's "the session has ended" must not be
 * believed. */
static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        const char *sender = sd_bus_message_get_sender(message);

        return sd_bus_message_is_signal(message, NULL, NULL) && sd_bus_message_get_destination(message) &&
               !(sender && strcmp(sender, "org.freedesktop.DBus") == 0);
}

static int add_filter(BusClient *client, Error *error) {
        int r;

        /* Without a bus there is but one who sends. */
        if (client->daemon.pid > 0)
                return 0;
        r = sd_bus_add_filter(client->bus, NULL, on_message, NULL);
        return r < 0 ? error_set_errno(error, r, "Cannot look at what comes from the bus") : 0;
}

int bus_client_new(const Globals *globals, Error *error, BusClient **ret) {
        CLEANUP(bus_client_freep) BusClient *client = calloc(1, sizeof(*client));
        int r;

        if (!client)
                return error_set_errno(error, -ENOMEM, "Cannot connect");
        client->daemon = EMBEDDED_DAEMON_NONE;
        client->agent = POLKIT_AGENT_NONE;
        client->remote = globals->host;
        client->ask_password = globals->ask_password;

        r = sd_event_default(&client->event);
        if (r < 0)
                return error_set_errno(error, r, "Cannot make an event loop");
        r = open_bus(client, globals, error);
        if (r < 0)
                return r;
        r = add_filter(client, error);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(client->bus, client->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return error_set_errno(error, r, "Cannot attach the connection to the event loop");
        *ret = STEAL_PTR(client);
        return 0;
}

void bus_client_free(BusClient *client) {
        if (!client)
                return;
        if (client->bus)
                (void) sd_bus_detach_event(client->bus);
        sd_bus_flush_close_unref(client->bus);
        polkit_agent_stop(&client->agent);
        embedded_wait(&client->daemon);
        sd_event_unref(client->event);
        free(client);
}

void bus_client_cancel(BusClient *client) {
        client->cancelled = true;
}

void bus_client_end_agent(BusClient *client) {
        polkit_agent_stop(&client->agent);
}

int bus_client_message_error(int r, Error *error) {
        return error_set_errno(error, r, "Cannot read or write a D-Bus message");
}

int bus_client_new_call(BusClient *client, const char *path, const char *interface, const char *member, Error *error,
                        sd_bus_message **ret) {
        int r;

        r = sd_bus_message_new_method_call(client->bus, ret, KTRACED_BUS_NAME, path, interface, member);
        return r < 0 ? bus_client_message_error(r, error) : 0;
}

static ErrorCode code_from_name(const char *name) {
        for (int code = ERROR_NONE + 1; code < _ERROR_CODE_MAX; code++)
                if (strcmp(name, error_code_to_dbus_name(code)) == 0)
                        return code;
        return ERROR_FAILED;
}

static int take_bus_error(BusClient *client, const sd_bus_error *from, Error *error) {
        const char *text = from->message ?: from->name;

        if (sd_bus_error_has_name(from, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(from, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return error_set(error, ERROR_FAILED, "ktraced does not run and the bus cannot start it: %s", text);
        if (sd_bus_error_has_name(from, SD_BUS_ERROR_NO_REPLY)) {
                int status;

                if (embedded_has_ended(&client->daemon, &status))
                        return error_set(error, ERROR_FAILED, "The embedded ktraced ended with status %d", status);
                return error_set(error, ERROR_FAILED, "ktraced gave no answer: %s", text);
        }
        return error_set(error, code_from_name(from->name), "%s", text);
}

typedef struct PendingCall {
        sd_bus_message *reply;
} PendingCall;

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        PendingCall *pending = userdata;

        pending->reply = sd_bus_message_ref(message);
        return 0;
}

static int prepare_call(BusClient *client, sd_bus_message *call, CallFlags flags, Error *error) {
        int r = 0;

        if (client->cancelled)
                return error_set(error, ERROR_CANCELLED, "Interrupted");
        if (flags & CALL_NO_AUTO_START)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call,
                                                                       client->ask_password && !(flags & CALL_BRIEF));
        if (r < 0)
                return bus_client_message_error(r, error);
        if ((flags & CALL_MAY_ASK) && client->ask_password && !client->remote && client->daemon.pid <= 0)
                polkit_agent_start(&client->agent);
        return 0;
}

int bus_client_call(BusClient *client, sd_bus_message *call, CallFlags flags, Error *error, sd_bus_message **ret) {
        CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        PendingCall pending = { NULL };
        int r;

        r = prepare_call(client, call, flags, error);
        if (r < 0)
                return r;
        r = sd_bus_call_async(client->bus, &slot, call, on_reply, &pending,
                              flags & CALL_MAY_LAST ? UINT64_MAX
                              : flags & CALL_BRIEF  ? CALL_BRIEF_TIMEOUT
                                                    : CALL_TIMEOUT);
        if (r < 0)
                return error_set_errno(error, r, "Cannot send the request to ktraced");
        while (!pending.reply) {
                if (client->cancelled)
                        return error_set(error, ERROR_CANCELLED, "Interrupted");
                r = sd_event_run(client->event, UINT64_MAX);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot wait for the answer of ktraced");
        }

        reply = pending.reply;
        if (sd_bus_message_is_method_error(reply, NULL))
                return take_bus_error(client, sd_bus_message_get_error(reply), error);
        if (ret)
                *ret = STEAL_PTR(reply);
        return 0;
}

int bus_client_call_simple(BusClient *client, const char *path, const char *interface, const char *member,
                           const char *argument, CallFlags flags, char type, Error *error, char **ret) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *result;
        char *copy;
        int r;

        r = bus_client_new_call(client, path, interface, member, error, &call);
        if (r < 0)
                return r;
        if (argument) {
                r = sd_bus_message_append_basic(call, 's', argument);
                if (r < 0)
                        return bus_client_message_error(r, error);
        }
        r = bus_client_call(client, call, flags, error, &reply);
        if (r < 0 || !type)
                return r;
        r = sd_bus_message_read_basic(reply, type, &result);
        if (r < 0)
                return bus_client_message_error(r, error);
        copy = strdup(result);
        if (!copy)
                return bus_client_message_error(-ENOMEM, error);
        *ret = copy;
        return 0;
}
