/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Session.OpenStream(a{sv} options) -> h: the handler's steps; the vtable is in bus-session.c.
 *
 *   key      type     meaning
 *   format   s        "pages", which is the default: frames as in ktraced/stream-frame.h; or "text": lines
 */

#include "bus/bus-call.h"

int bus_stream_parse(BusCall *call, Error *error);
void bus_stream_execute(BusCall *call);
