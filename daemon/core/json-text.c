/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/json-text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/text.h"

static inline void tokener_freep(struct json_tokener **tokener) {
        if (*tokener)
                json_tokener_free(*tokener);
}

static unsigned line_of(const char *text, size_t at) {
        unsigned line = 1;

        for (size_t i = 0; i < at; i++)
                line += text[i] == '\n';
        return line;
}

int json_text_parse(const char *text, const char *origin, Error *error, struct json_object **ret) {
        CLEANUP(tokener_freep) struct json_tokener *tokener = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        size_t length = strlen(text);
        enum json_tokener_error e;

        if (length > INT_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: too large", origin);
        tokener = json_tokener_new_ex(JSON_TEXT_DEPTH_MAX);
        if (!tokener)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);

        object = json_tokener_parse_ex(tokener, text, (int) length);
        e = json_tokener_get_error(tokener);
        if (e == json_tokener_continue)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s:%u: the text ends too early", origin,
                                 line_of(text, length));
        if (e != json_tokener_success)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s:%u: %s", origin,
                                 line_of(text, json_tokener_get_parse_end(tokener)), json_tokener_error_desc(e));
        if (!json_object_is_type(object, json_type_object))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s:1: not a JSON object", origin);
        *ret = STEAL_PTR(object);
        return 0;
}

/* The closing quote of the string whose opening quote (json-c takes both kinds) is at `s`, or the end of the
 * text. */
static const char *string_end(const char *s) {
        char quote = *s;

        for (s++; *s != '\0' && *s != quote; s++)
                if (*s == '\\' && s[1] != '\0')
                        s++;
        return s;
}

/* Is the string literal between the quotes at `start` and `end` equal to `key`, escapes resolved? */
static bool literal_equals(const char *start, const char *end, const char *key) {
        size_t length = (size_t) (end - start - 1);
        CLEANUP(tokener_freep) struct json_tokener *tokener = NULL;
        CLEANUP_JSON struct json_object *string = NULL;

        if (!memchr(start + 1, '\\', length))
                return strlen(key) == length && memcmp(start + 1, key, length) == 0;
        tokener = json_tokener_new();
        if (!tokener || length + 2 > INT_MAX)
                return false;
        string = json_tokener_parse_ex(tokener, start, (int) length + 2);
        return json_object_is_type(string, json_type_string) && strcmp(json_object_get_string(string), key) == 0;
}

unsigned json_text_key_line(const char *text, const char *key) {
        unsigned depth = 0, found = 0;

        for (const char *s = text; *s != '\0'; s++) {
                const char *end;

                if (*s == '{' || *s == '[')
                        depth++;
                else if ((*s == '}' || *s == ']') && depth > 0)
                        depth--;
                if (*s != '"' && *s != '\'')
                        continue;
                end = string_end(s);
                if (*end == '\0')
                        break;
                if (depth == 1 && end[1 + strspn(end + 1, " \t\r\n")] == ':' && literal_equals(s, end, key))
                        found = line_of(text, (size_t) (s - text));
                s = end;
        }
        return found;
}

int json_text_get_unsigned(struct json_object *value, uint64_t *ret) {
        /* json_object_get_int64() gives 0 or more for what is no negative integer. */
        if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
                return -EINVAL;
        *ret = json_object_get_uint64(value);
        return 0;
}

int json_text_get_string(struct json_object *value, const char **ret) {
        const char *string;

        if (!json_object_is_type(value, json_type_string))
                return -EINVAL;
        string = json_object_get_string(value);
        if (strlen(string) != (size_t) json_object_get_string_len(value))
                return -EINVAL;
        *ret = string;
        return 0;
}

int json_text_get_boolean(struct json_object *value, bool *ret) {
        if (!json_object_is_type(value, json_type_boolean))
                return -EINVAL;
        *ret = json_object_get_boolean(value);
        return 0;
}

int json_text_add(struct json_object *object, const char *key, struct json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(object, key, value) < 0) {
                (void) json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

int json_text_add_string(struct json_object *object, const char *key, const char *string) {
        return string ? json_text_add(object, key, json_object_new_string(string)) : 0;
}

int json_text_add_unsigned(struct json_object *object, const char *key, uint64_t number) {
        return json_text_add(object, key, json_object_new_uint64(number));
}

int json_text_add_boolean(struct json_object *object, const char *key, bool boolean) {
        return json_text_add(object, key, json_object_new_boolean(boolean));
}

int json_text_format(struct json_object *object, bool pretty, char **ret) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
        const char *text = json_object_to_json_string_ext(object, flags);
        char *copy = text ? strdup(text) : NULL;

        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}
