/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Prints the introspection data of the objects that the daemon serves, from the vtables themselves and
 * without a bus: for the tests that hold dbus/ and the manual to them.
 */

#include <stdio.h>

#include "core/error.h"

/* `path`: an object path; those of the containers of sessions and captures stand for every object in them.
 * "list" prints the paths, NULL all documents one after the other. */
int bus_introspect(const char *path, FILE *output, Error *error);
