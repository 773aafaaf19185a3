/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The arguments of type a{sv}. Keys and ranges of a spec are checked by core/spec.h; here, that each variant
 * holds the type that its key takes, and that it holds no more than the key may before memory is taken.
 * Every message names the key.
 */

#include <systemd/sd-bus.h>

#include "core/error.h"
#include "core/spec.h"

/* Reads one a{sv}. The caller frees the spec. */
int bus_spec_read(sd_bus_message *message, Error *error, Spec **ret);

/* For dictionaries of another kind: enters the next entry and returns its key, which lives with the message,
 * and the type of its value. 0 at the end. After reading the value, leave with bus_entry_exit(). */
int bus_entry_enter(sd_bus_message *message, const char **ret_key, const char **ret_type);
int bus_entry_exit(sd_bus_message *message);
