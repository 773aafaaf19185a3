/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bus: the daemon's place on D-Bus. It serves the objects of dbus/org.ktraced1.*.xml, either under the name
 * org.ktraced1 on the system bus, or (embedded) to the one peer at the other end of an inherited socket.
 *
 * Life cycle: bus_new() connects; the model is made with bus_observer; bus_serve() publishes the objects and
 * asks for the name; config.ended tells when it is over. Free the model before the bus: its last changes are
 * still signalled, and calls that wait for it are dropped with the bus.
 */

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus/bus-peers.h"
#include "bus/bus-polkit.h"
#include "bus/bus-units.h"
#include "bus/decision-log.h"
#include "bus/log.h"
#include "model/manager.h"

typedef struct Bus Bus;
typedef struct BusCall BusCall;

LIST_HEAD(BusCallList, BusCall);

typedef struct BusConfig {
        sd_event *event;
        Log *log;        /* borrowed; org.freedesktop.LogControl1 changes it */
        int embedded_fd; /* -1: the system bus; taken over, also on failure */
        /* The name is ours, or the peer can be served. */
        void (*serving)(void *userdata);
        /* Connection or name are lost. `r` is 0 when the embedded peer has left, else -errno. */
        void (*ended)(int r, const char *reason, void *userdata);
        void *userdata;
} BusConfig;

struct Bus {
        BusConfig config;
        sd_bus *bus;
        bool embedded;
        bool serving; /* objects are published */
        Manager *manager;
        BusPeers *peers;
        BusPolkit *polkit;
        BusUnits *units; /* NULL: embedded */
        DecisionLog *decisions;
        struct BusCallList calls; /* those that have not been answered yet */
};

/* How the one peer of an embedded daemon, which has no name, is called. */
#define BUS_EMBEDDED_PEER ":embedded"

/* What the manager's observer must be; its userdata is the Bus. */
extern const ManagerObserver bus_observer;

int bus_new(const BusConfig *config, Error *error, Bus **ret);
void bus_free(Bus *bus);
DEFINE_POINTER_CLEANUP(Bus, bus_free);

/* `manager` is borrowed. */
int bus_serve(Bus *bus, Manager *manager, Error *error);

/* For SIGHUP: the same as Manager.Reload; a failure is logged. */
void bus_reload(Bus *bus);

/* Unique name of who sent a message, BUS_EMBEDDED_PEER when there is none. */
const char *bus_sender(const Bus *bus, sd_bus_message *message);
