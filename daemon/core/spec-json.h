/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Spec from and to JSON. The keys and their meaning stand in spec.h.
 */

#include <json-c/json.h>

#include "core/spec.h"

/* Sets the one key `name` from `member` (NULL is JSON's null). A key that only the bus can carry is refused. */
int spec_set_member_from_json(Spec *spec, const char *name, struct json_object *member, Error *error);

/* All keys that were given, without descriptors: pidfds and output appear as how many there are. The
 * caller owns the result. */
int spec_to_json(const Spec *spec, struct json_object **ret);
