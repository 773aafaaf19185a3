/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The object /org/ktraced1 with org.ktraced1.Manager. For each method: an entry of the vtable, a row of the
 * method table above it, and there the functions parse_*, prepare_* and execute_*.
 */

#include "bus/bus.h"

extern const sd_bus_vtable bus_manager_vtable[];

int bus_manager_add(Bus *bus, Error *error);

/* The signals SessionNew, SessionRemoved, CaptureNew and CaptureRemoved. */
void bus_manager_emit_session(Bus *bus, const char *signal, const Session *session);
void bus_manager_emit_capture(Bus *bus, const char *signal, const Capture *capture);
