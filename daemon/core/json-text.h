/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * JsonText: JSON from files and clients, read as json-c's strict mode does (which lets some things pass,
 * such as single quotes), with valid UTF-8 and a bounded depth, and with the line of what is wrong in the
 * message. Of a key that stands twice, the last counts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "core/error.h"

#define JSON_TEXT_DEPTH_MAX 16

static inline void json_object_putp(struct json_object **object) {
        (void) json_object_put(*object);
}
#define CLEANUP_JSON CLEANUP(json_object_putp)

/* The whole text must be one object. Messages start with "origin:line: ". */
int json_text_parse(const char *text, const char *origin, Error *error, struct json_object **ret);

/* The line, from 1, where the member `key` of the outermost object stands; 0 when it has none. `text` is
 * one that json_text_parse() accepted. */
unsigned json_text_key_line(const char *text, const char *key);

/* Typed values; -EINVAL when `value` (NULL is JSON's null) is of another type, a number negative or with a
 * fraction, or a string has a NUL in it. The string is borrowed. */
int json_text_get_unsigned(struct json_object *value, uint64_t *ret);
int json_text_get_string(struct json_object *value, const char **ret);
int json_text_get_boolean(struct json_object *value, bool *ret);

/* Puts `value` into `object` and gives it up, also on failure. A NULL `value` is -ENOMEM. */
int json_text_add(struct json_object *object, const char *key, struct json_object *value);
/* A NULL string is left out. */
int json_text_add_string(struct json_object *object, const char *key, const char *string);
int json_text_add_unsigned(struct json_object *object, const char *key, uint64_t number);
int json_text_add_boolean(struct json_object *object, const char *key, bool boolean);

/* A copy of the text of `object`, on several lines when `pretty`. */
int json_text_format(struct json_object *object, bool pretty, char **ret);
