/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What DescribeEvent and TryProbes tell of an event: its name, its fields as a table, the kernel's print format. */

#include <json-c/json.h>

#include "client/options.h"

/* With --json as it came. Returns 0 or -errno. */
int event_print(const Globals *globals, struct json_object *event);
