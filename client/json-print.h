/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON on standard output, in the form that --json asks for. */

#include <json-c/json.h>

#include "client/options.h"

/* With JSON_OFF like JSON_PRETTY. */
void json_print(const Globals *globals, struct json_object *object);

/* Adds a member, which it takes over, to an object or, with a NULL key, to an array. Either NULL, or no memory:
 * -ENOMEM. */
int json_add(struct json_object *container, const char *key, struct json_object *member);
