/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The JSON descriptions of sessions, captures and profiles, for people: a line for each member, sizes, times and
 * users as words. With --json they are printed as they came. */

#include <json-c/json.h>

#include "client/options.h"
#include "core/error.h"

/* Parses what a Describe method returned. The caller releases *ret. */
int describe_parse(const char *text, Error *error, struct json_object **ret);

void describe_print(const Globals *globals, struct json_object *object);
