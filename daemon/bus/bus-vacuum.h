/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Manager.Vacuum(a{sv} limits) -> t: the handler's steps; the vtable is in bus-manager.c.
 *
 *   key            type     meaning
 *   max_use        t or s   bytes, or a size such as "1G", that all captures may take
 *   max_files      t        how many there may be
 *   max_age        t or s   microseconds, or a span such as "7d", after which one goes
 */

#include "bus/bus-call.h"

int bus_vacuum_parse(BusCall *call, Error *error);
void bus_vacuum_execute(BusCall *call);
