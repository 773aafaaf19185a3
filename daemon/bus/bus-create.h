/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CreateSession and StartSession. The spec is merged with its profile and checked against the kernel before
 * anybody is asked to authorize it, so that it is known what it takes; nothing is changed until then.
 */

#include "bus/bus-call.h"

int bus_create_parse(BusCall *call, Error *error);
/* For TryProbes, whose spec is prepared in the same way: probes, probe_files and filters, nothing else. */
int bus_create_parse_try(BusCall *call, Error *error);
void bus_create_prepare(BusCall *call);
void bus_create_execute(BusCall *call);
void bus_create_execute_and_start(BusCall *call);
/* For Session.Reload. */
void bus_create_execute_reload(BusCall *call);
