/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusAccess: the one table that says who may call what. A method without a row is refused;
 * bus_access_check_vtable() refuses to serve an interface that has one.
 *
 * Uid 0 needs no action. What polkit is told about the call beside the action (details) stands with the
 * bus-details.h.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "core/error.h"
#include "core/spec.h"

typedef enum AccessRule {
        ACCESS_ACTION, /* whoever is granted the action */
        ACCESS_OWNER,  /* the owner of the object; others who are granted the action */
        ACCESS_POWERS, /* whoever is granted the action of each power that the spec takes */
        ACCESS_ROOT,   /* uid 0 */
} AccessRule;

typedef struct AccessRow {
        const char *interface;
        const char *member;
        AccessRule rule;
        const char *action; /* for ACCESS_ACTION and ACCESS_OWNER */
} AccessRow;

/* NULL: refuse. */
const AccessRow *bus_access_find(const char *interface, const char *member);

/* True for what makes the daemon signal something. */
bool bus_access_changes(const AccessRow *row);

/* -EINVAL with the name of a method that has no row. */
int bus_access_check_vtable(const char *interface, const sd_bus_vtable *vtable, Error *error);

/* The polkit action of the lowest power in *powers, which is taken out; NULL when there is none. */
const char *bus_access_next_action(unsigned *powers, unsigned *ret_power);

/* Asked for with a dialog, in place of several actions of powers that would each have one. Not named like these, so
 * that no rule that lets somebody trace gives it by a pattern. */
#define ACCESS_SEVERAL_POWERS "org.ktraced1.several-powers"
