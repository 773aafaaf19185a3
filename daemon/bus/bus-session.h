/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The objects /org/ktraced1/session/<encoded id> with org.ktraced1.Session. For each method: an entry of the
 * vtable, a row of the method table above it, and there the functions parse_* and execute_*.
 */

#include "bus/bus.h"

extern const sd_bus_vtable bus_session_vtable[];

int bus_session_add(Bus *bus, Error *error);

/* PropertiesChanged for what changes with the state. */
void bus_session_emit_changed(Bus *bus, const Session *session);
void bus_session_emit_lost(Bus *bus, const Session *session, uint64_t n_new);
void bus_session_emit_overhead(Bus *bus, const Session *session, const char *action, uint64_t rate, uint64_t share);
void bus_session_emit_watch(Bus *bus, const Session *session);
