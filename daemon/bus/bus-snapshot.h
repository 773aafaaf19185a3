/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Session.Snapshot(a{sv} options) -> o: the handler's steps; the vtable is in bus-session.c.
 *
 *   key      type     meaning
 *   reason   s        printable, at most SNAPSHOT_REASON_LENGTH bytes; goes into the metadata and the journal
 *   after    t or s   microseconds, or a span such as "2s", to go on recording before the ring is drained
 */

#include "bus/bus-call.h"

int bus_snapshot_parse(BusCall *call, Error *error);
void bus_snapshot_execute(BusCall *call);
