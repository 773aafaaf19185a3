/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The objects /org/ktraced1/capture/<encoded id> with org.ktraced1.Capture. For each method: an entry of the
 * vtable, a row of the method table above it, and there the functions parse_* and execute_*.
 */

#include "bus/bus.h"

extern const sd_bus_vtable bus_capture_vtable[];

int bus_capture_add(Bus *bus, Error *error);

/* PropertiesChanged for what changes when the capture ends. */
void bus_capture_emit_changed(Bus *bus, const Capture *capture);
