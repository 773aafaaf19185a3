/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/spec-json.h"

#include <errno.h>

#include "core/json-text.h"
#include "core/spec-private.h"
#include "core/text.h"

/* The storage behind a SpecValue; the strings are the JSON object's. */
typedef struct Reading {
        SpecValue value;
        const char **strings;
        int64_t *numbers;
} Reading;

static void reading_clear(Reading *reading) {
        free(reading->strings);
        free(reading->numbers);
}

static int read_scalar(struct json_object *json, Reading *reading) {
        SpecValue *value = &reading->value;

        if (json_text_get_boolean(json, &value->boolean) == 0)
                value->has = SPEC_TYPE_BOOLEAN;
        else if (json_text_get_string(json, &value->string) == 0)
                value->has = SPEC_TYPE_STRING;
        else if (json_text_get_unsigned(json, &value->number) == 0)
                value->has = SPEC_TYPE_UNSIGNED;
        else
                return -EINVAL;
        return 0;
}

static int read_numbers(struct json_object *json, Reading *reading) {
        size_t n = json_object_array_length(json);

        reading->numbers = calloc(n + 1, sizeof(*reading->numbers));
        if (!reading->numbers)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                struct json_object *entry = json_object_array_get_idx(json, i);

                if (!json_object_is_type(entry, json_type_int))
                        return -EINVAL;
                reading->numbers[i] = json_object_get_int64(entry);
        }
        reading->value.has = SPEC_TYPE_NUMBERS;
        reading->value.numbers = reading->numbers;
        reading->value.n_numbers = n;
        return 0;
}

static int read_strings(struct json_object *json, Reading *reading) {
        size_t n = json_object_array_length(json);

        reading->strings = calloc(n + 1, sizeof(*reading->strings));
        if (!reading->strings)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = json_text_get_string(json_object_array_get_idx(json, i), reading->strings + i);

                if (r < 0)
                        return r;
        }
        reading->value.has = SPEC_TYPE_STRINGS;
        reading->value.strings = (char *const *) reading->strings;
        return 0;
}

static int read_map(struct json_object *json, Reading *reading) {
        size_t n = 0;

        reading->strings = calloc(2 * (size_t) json_object_object_length(json) + 1, sizeof(*reading->strings));
        if (!reading->strings)
                return -ENOMEM;
        json_object_object_foreach(json, key, member) {
                reading->strings[n++] = key;
                int r = json_text_get_string(member, reading->strings + n++);

                if (r < 0)
                        return r;
        }
        reading->value.has = SPEC_TYPE_MAP;
        reading->value.strings = (char *const *) reading->strings;
        return 0;
}

static int read_value(struct json_object *json, SpecType type, Reading *reading) {
        if (json_object_is_type(json, json_type_object))
                return read_map(json, reading);
        if (json_object_is_type(json, json_type_array))
                return type == SPEC_TYPE_NUMBERS ? read_numbers(json, reading) : read_strings(json, reading);
        return read_scalar(json, reading);
}

static bool is_bus_only(SpecKey key) {
        return key == SPEC_PIDFDS || key == SPEC_PROBE_FILES || key == SPEC_ATTACHED || key == SPEC_OUTPUT;
}

int spec_set_member_from_json(Spec *spec, const char *name, struct json_object *member, Error *error) {
        CLEANUP(reading_clear) Reading reading = { 0 };
        SpecKey key;
        int r = spec_key_from_name(name, error, &key);

        if (r < 0)
                return r;
        if (is_bus_only(key))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: only a bus message can carry it", name);
        r = read_value(member, spec_key_type(key), &reading);
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        if (r < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be %s", name,
                                 spec_type_describe(spec_key_type(key)));
        return spec_set(spec, key, &reading.value, error);
}

static int add_strings(struct json_object *object, const char *key, char *const *strings) {
        struct json_object *array = json_object_new_array();
        int r = json_text_add(object, key, array);

        for (; r == 0 && strings && *strings; strings++) {
                struct json_object *string = json_object_new_string(*strings);

                if (!string || json_object_array_add(array, string) < 0) {
                        (void) json_object_put(string);
                        r = -ENOMEM;
                }
        }
        return r;
}

static int add_pids(struct json_object *object, const char *key, const Spec *spec) {
        struct json_object *array = json_object_new_array();
        int r = json_text_add(object, key, array);

        for (size_t i = 0; r == 0 && i < spec->n_pids; i++) {
                struct json_object *number = json_object_new_int64(spec->pids[i]);

                if (!number || json_object_array_add(array, number) < 0) {
                        (void) json_object_put(number);
                        r = -ENOMEM;
                }
        }
        return r;
}

static int add_filters(struct json_object *object, const char *key, const Spec *spec) {
        struct json_object *map = json_object_new_object();
        int r = json_text_add(object, key, map);

        for (size_t i = 0; r == 0 && i < spec->n_filters; i++)
                r = json_text_add_string(map, spec->filters[i].pattern, spec->filters[i].expression);
        return r;
}

static int add_cpus(struct json_object *object, const char *key, const Spec *spec) {
        CLEANUP_FREE char *text = NULL;
        int r = cpu_list_format(&spec->cpus, &text);

        return r < 0 ? r : json_text_add_string(object, key, text);
}

static int add_key(struct json_object *object, const Spec *spec, SpecKey key) {
        const SpecKeyInfo *info = spec_key_table + key;
        Spec *source = (Spec *) spec; /* only read */

        if (info->set == spec_set_string)
                return json_text_add_string(object, info->name, *spec_string_at(source, info));
        if (info->set == spec_set_strings)
                return add_strings(object, info->name, *spec_strings_at(source, info));
        if (info->set == spec_set_boolean)
                return json_text_add_boolean(object, info->name, *spec_boolean_at(source, info));
        if (info->set == spec_set_number)
                return json_text_add_unsigned(object, info->name, *spec_number_at(source, info));
        if (info->set == spec_set_fds)
                return json_text_add_unsigned(object, info->name, spec_fds_at(source, info)->n_fds);
        switch (key) {
        case SPEC_FILTERS:
                return add_filters(object, info->name, spec);
        case SPEC_PIDS:
                return add_pids(object, info->name, spec);
        case SPEC_CPUS:
                return add_cpus(object, info->name, spec);
        case SPEC_OUTPUT:
                return json_text_add_unsigned(object, info->name, 1);
        default:
                return -EINVAL;
        }
}

int spec_to_json(const Spec *spec, struct json_object **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();

        if (!object)
                return -ENOMEM;
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                int r;

                if (!spec_is_given(spec, (SpecKey) key))
                        continue;
                r = add_key(object, spec, (SpecKey) key);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(object);
        return 0;
}
