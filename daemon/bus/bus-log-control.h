/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The object /org/freedesktop/LogControl1, see org.freedesktop.LogControl1(5): level and target of the log.
 * Anybody may read it, root may change it.
 */

#include "bus/bus.h"

#define BUS_LOG_CONTROL_PATH "/org/freedesktop/LogControl1"
#define BUS_LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

extern const sd_bus_vtable bus_log_control_vtable[];

int bus_log_control_add(Bus *bus, Error *error);
