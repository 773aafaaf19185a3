/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The filter of ListCaptures: which captures its caller wants to hear of.
 */

#include "bus/bus-call.h"

int bus_capture_filter_parse(BusCall *call, Error *error);
/* A filter for reasons selects only captures whose reason the caller may see, its own, or it would tell of others. */
bool bus_capture_filter_selects(const BusCall *call, const CaptureMetadata *metadata);
