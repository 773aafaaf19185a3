/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The steps of Manager.MeasureEvents: the patterns become a spec, so that it is resolved and authorized as a session
 * with these events is. And of Manager.EstimateSession, which has one.
 */

#include "bus/bus-call.h"

int bus_measure_parse(BusCall *call, Error *error);
void bus_measure_execute(BusCall *call);

int bus_measure_parse_estimate(BusCall *call, Error *error);
void bus_measure_execute_estimate(BusCall *call);
