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

/* Reads the value of one entry of type `type`, of which nothing may be left; `key` lives with the message. */
typedef int (*BusEntryRead)(sd_bus_message *message, const char *key, const char *type, void *userdata, Error *error);

/* For dictionaries of another kind: reads one a{sv}, `read` its entries, until that fails. */
int bus_entries_read(sd_bus_message *message, BusEntryRead read, void *userdata, Error *error);
