/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusUnits: follows units of systemd, by the signals of its objects (org.freedesktop.systemd1(5)), and tells when one
 * fails. A unit is followed as often as it is asked for.
 *
 * Life cycle: bus_units_new(); bus_units_follow() and bus_units_leave(); bus_units_free().
 */

#include <systemd/sd-bus.h>

#include "core/error.h"
#include "ktraced/cleanup.h"
#include "model/watch-unit.h"

/* dbus-daemon allows 512 matches for a connection, and the next one would end ours. */
#define BUS_UNITS_MAX 64U

typedef struct BusUnits BusUnits;

typedef struct BusUnitsConfig {
        sd_bus *bus;
        /* The unit is followed, or cannot be (ERROR_NO_SUCH_PROCESS: systemd knows no such unit). Not called from
         * within bus_units_follow(). */
        void (*followed)(const char *unit, int r, const Error *error, void *userdata);
        void (*incident)(const char *unit, UnitIncident incident, const char *result, void *userdata);
        void *userdata;
} BusUnitsConfig;

int bus_units_new(const BusUnitsConfig *config, BusUnits **ret);
void bus_units_free(BusUnits *units);
DEFINE_POINTER_CLEANUP(BusUnits, bus_units_free);

/* config.followed() is called later. ERROR_QUOTA_EXCEEDED. */
int bus_units_follow(BusUnits *units, const char *name, Error *error);
void bus_units_leave(BusUnits *units, const char *name);
