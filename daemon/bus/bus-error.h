/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Errors on the bus: the names come from the one table in core/error.c.
 */

#include <systemd/sd-bus.h>

#include "core/error.h"

/* Answers a method call. `error` may be empty: then -errno `r` says what failed. */
int bus_error_reply(sd_bus_message *call, int r, const Error *error);

/* For handlers that sd-bus calls itself (property setters, find functions). Returns -errno. */
int bus_error_fill(sd_bus_error *ret_error, int r, const Error *error);
