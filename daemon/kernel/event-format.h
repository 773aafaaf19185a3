/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EventFormat: the fields of one event of the running kernel, for this layer only.
 *
 * Life cycle: event_format_new() reads and parses events/SYSTEM/NAME/format; event_format_free().
 */

#include <json-c/json.h>

#include "core/error.h"
#include "core/filter.h"

typedef struct EventFormat EventFormat;

int event_format_new(const char *system, const char *name, Error *error, EventFormat **ret);
void event_format_free(EventFormat *format);
DEFINE_POINTER_CLEANUP(EventFormat, event_format_free);

/* For filter_check(); the caller frees *ret, the names in it belong to `format`. */
int event_format_filter_fields(const EventFormat *format, FilterField **ret, size_t *ret_n);
/* See catalog_describe_event(). The caller owns the result. */
int event_format_to_json(const EventFormat *format, struct json_object **ret);
