/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the bus layer tells of the units that watches ask for by ManagerObserver.follow_unit().
 */

#include "core/error.h"
#include "model/model.h"

/* The unit is followed from now on, or cannot be: the answer to all that ask for it. */
void manager_unit_followed(Manager *manager, const char *unit, int r, const Error *error);

typedef enum UnitIncident {
        UNIT_FAILED,
        UNIT_WATCHDOG, /* its watchdog fired; it has failed, too */
} UnitIncident;

/* `result`: how systemd calls what became of it ("exit-code", "watchdog"). */
void manager_unit_incident(Manager *manager, const char *unit, UnitIncident incident, const char *result);
