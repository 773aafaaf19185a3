/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-access.h"
#include "bus/bus-call.h"
#include "bus/bus-capture.h"
#include "bus/bus-connect.h"
#include "bus/bus-error.h"
#include "bus/bus-log-control.h"
#include "bus/bus-manager.h"
#include "bus/bus-session.h"
#include "bus/notify.h"
#include "ktraced/protocol.h"
#include "model/budgets.h"

/* Replies to RequestName, D-Bus specification, "org.freedesktop.DBus.RequestName". */
#define REQUEST_NAME_PRIMARY_OWNER 1U
#define REQUEST_NAME_ALREADY_OWNER 4U

const char *bus_sender(const Bus *bus, sd_bus_message *message) {
        const char *sender = bus->embedded ? NULL : sd_bus_message_get_sender(message);

        return sender ? sender : BUS_EMBEDDED_PEER;
}

static void bus_on_peer_gone(const char *name, void *userdata) {
        Bus *bus = userdata;

        bus_polkit_cancel_peer(bus->polkit, name);
        if (bus->manager)
                manager_client_gone(bus->manager, name);
}

static int bus_on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Bus *bus = userdata;

        bus->serving = false;
        bus->config.ended(bus->embedded ? 0 : -ECONNRESET, "The connection to the bus is lost", bus->config.userdata);
        return 0;
}

static int bus_on_name_lost(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Bus *bus = userdata;
        const char *name;

        if (sd_bus_message_read(message, "s", &name) >= 0 && strcmp(name, KTRACED_BUS_NAME) == 0)
                bus->config.ended(-EEXIST, "The name " KTRACED_BUS_NAME " is lost", bus->config.userdata);
        return 0;
}

static int bus_on_name_requested(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Bus *bus = userdata;
        uint32_t result;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                const sd_bus_error *error = sd_bus_message_get_error(reply);

                bus->config.ended(-sd_bus_message_get_errno(reply), error->message ? error->message : error->name,
                                  bus->config.userdata);
                return 0;
        }

        if (sd_bus_message_read(reply, "u", &result) < 0 ||
            (result != REQUEST_NAME_PRIMARY_OWNER && result != REQUEST_NAME_ALREADY_OWNER)) {
                bus->config.ended(-EEXIST, "Another process has the name " KTRACED_BUS_NAME, bus->config.userdata);
                return 0;
        }

        bus->config.serving(bus->config.userdata);
        return 0;
}

/* All that matters is that the peer is known from then on. */
static void bus_on_uid(int r, uid_t uid, void *userdata) {
}

/* The bus daemon, which knows who has which name, compares broadcasts with our matches. What somebody sends to this
 * connection alone it just delivers, and sd-bus takes a sender that is a unique name for the one of any match: so it
 * would pass for a signal of the bus or of systemd. Of these only the bus itself sends some to us alone. */
static bool is_forged(sd_bus_message *message) {
        const char *sender = sd_bus_message_get_sender(message);

        return sd_bus_message_is_signal(message, NULL, NULL) && sd_bus_message_get_destination(message) &&
               !(sender && strcmp(sender, "org.freedesktop.DBus") == 0);
}

/* Before anything is looked at: properties and introspection, which sd-bus answers itself, are requests, too. Of a
 * peer that is not known yet it is asked who it is; what it sends until then is bounded by bus-call.c. */
static int bus_on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Bus *bus = userdata;
        const char *sender = bus_sender(bus, message), *interface, *member;
        const AccessRow *access;
        uid_t uid;
        int r;

        if (!bus->embedded && is_forged(message))
                return 1;
        if (!bus->manager || !sd_bus_message_is_method_call(message, NULL, NULL))
                return 0;
        if (!bus_peers_lookup(bus->peers, sender, &uid)) {
                bus_peers_query(bus->peers, sender, bus_on_uid, NULL);
                return 0;
        }

        interface = sd_bus_message_get_interface(message);
        member = sd_bus_message_get_member(message);
        access = interface && member ? bus_access_find(interface, member) : NULL;
        r = manager_check_request(bus->manager, uid, access && bus_access_changes(access), &error);
        if (r >= 0)
                return 0;
        (void) bus_error_reply(message, r, &error);
        return 1;
}

static int bus_connect(Bus *bus, int embedded_fd, Error *error) {
        CLEANUP_CLOSE int fd = embedded_fd;
        int r;

        if (!bus->embedded)
                return bus_connect_system(error, &bus->bus);

        r = bus_connect_check_peer(fd, error);
        if (r < 0)
                return r;

        r = bus_connect_server(steal_fd(&fd), &bus->bus);
        return r < 0 ? error_set_errno(error, r, "Failed to serve the inherited socket") : 0;
}

static void bus_on_unit_followed(const char *unit, int r, const Error *error, void *userdata) {
        const Bus *bus = userdata;

        manager_unit_followed(bus->manager, unit, r, error);
}

static void bus_on_unit_incident(const char *unit, UnitIncident incident, const char *result, void *userdata) {
        const Bus *bus = userdata;

        manager_unit_incident(bus->manager, unit, incident, result);
}

static int bus_set_up_units(Bus *bus) {
        const BusUnitsConfig units = {
                .bus = bus->bus,
                .followed = bus_on_unit_followed,
                .incident = bus_on_unit_incident,
                .userdata = bus,
        };

        return bus_units_new(&units, &bus->units);
}

/* The matches come first: what the bus daemon is asked later is answered later than they are in force. */
static int bus_set_up(Bus *bus) {
        const BusPeersConfig peers = {
                .bus = bus->bus,
                .embedded = bus->embedded,
                .gone = bus_on_peer_gone,
                .userdata = bus,
        };
        int r;

        r = bus_peers_new(&peers, &bus->peers);
        if (r < 0)
                return r;

        r = bus_polkit_new(bus->bus, bus->config.event, &bus->polkit);
        if (r < 0)
                return r;

        r = decision_log_new(bus->config.event, bus->config.log, &bus->decisions);
        if (r < 0)
                return r;

        r = sd_bus_add_filter(bus->bus, NULL, bus_on_message, bus);
        if (r < 0)
                return r;

        /* A local match, of sd-bus itself: nothing is sent. */
        r = sd_bus_match_signal_async(bus->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", bus_on_disconnected, NULL, bus);
        if (r < 0)
                return r;

        /* An embedded peer that does not read must not keep the daemon from ending. */
        if (bus->embedded)
                return sd_bus_set_close_on_exit(bus->bus, false);

        r = bus_set_up_units(bus);
        if (r < 0)
                return r;

        return sd_bus_match_signal_async(bus->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", "NameLost", bus_on_name_lost, NULL, bus);
}

int bus_new(const BusConfig *config, Error *error, Bus **ret) {
        CLEANUP_CLOSE int fd = config->embedded_fd;
        CLEANUP(bus_freep) Bus *bus = NULL;
        int r;

        bus = calloc(1, sizeof(*bus));
        if (!bus)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");

        bus->config = *config;
        bus->embedded = fd >= 0;
        LIST_INIT(&bus->calls);

        r = bus_connect(bus, steal_fd(&fd), error);
        if (r < 0)
                return r;

        r = bus_set_up(bus);
        if (r < 0)
                return error_set_errno(error, r, "Failed to set up the connection");

        *ret = STEAL_PTR(bus);
        return 0;
}

void bus_free(Bus *bus) {
        BusCall *call;

        if (!bus)
                return;

        bus_peers_free(bus->peers);
        bus_polkit_free(bus->polkit);
        bus_units_free(bus->units);
        decision_log_free(bus->decisions);
        while ((call = LIST_FIRST(&bus->calls)))
                bus_call_free(call);

        sd_bus_close_unref(bus->bus);
        free(bus);
}

int bus_serve(Bus *bus, Manager *manager, Error *error) {
        int r;

        bus->manager = manager;

        r = bus_manager_add(bus, error);
        if (r < 0)
                return r;
        r = bus_session_add(bus, error);
        if (r < 0)
                return r;
        r = bus_capture_add(bus, error);
        if (r < 0)
                return r;
        r = bus_log_control_add(bus, error);
        if (r < 0)
                return r;

        r = sd_bus_attach_event(bus->bus, bus->config.event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return error_set_errno(error, r, "Failed to attach the bus to the event loop");

        bus->serving = true;
        if (bus->embedded) {
                bus->config.serving(bus->config.userdata);
                return 0;
        }

        r = sd_bus_request_name_async(bus->bus, NULL, KTRACED_BUS_NAME, 0, bus_on_name_requested, bus);
        return r < 0 ? error_set_errno(error, r, "Failed to ask for the name %s", KTRACED_BUS_NAME) : 0;
}

static void bus_on_reloaded(int r, const Error *error, void *result, void *userdata) {
        const Bus *bus = userdata;

        if (r < 0)
                log_write(bus->config.log, LOG_ERR, NULL, "Failed to reload: %s", error_text(error));
        notify_ready(bus->manager);
}

void bus_reload(Bus *bus) {
        if (!bus->serving)
                return;

        notify_reloading();
        manager_reload(bus->manager, bus_on_reloaded, bus);
}
