/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-spec.h"

#include <errno.h>
#include <string.h>

/* What is read of a variant; the strings live with the message. */
typedef struct Value {
        SpecValue spec;
        const char **strings;
        int64_t *numbers;
        int *fds;
} Value;

static void value_clear(Value *value) {
        free(value->strings);
        free(value->numbers);
        free(value->fds);
}

static int entry_enter(sd_bus_message *message, const char **ret_key, const char **ret_type) {
        const char *key, *type;
        int r;

        r = sd_bus_message_enter_container(message, 'e', "sv");
        if (r <= 0)
                return r;

        r = sd_bus_message_read(message, "s", &key);
        if (r < 0)
                return r;

        r = sd_bus_message_peek_type(message, NULL, &type);
        if (r < 0)
                return r;

        r = sd_bus_message_enter_container(message, 'v', type);
        if (r < 0)
                return r;

        *ret_key = key;
        *ret_type = type;
        return 1;
}

static int entry_exit(sd_bus_message *message) {
        int r;

        r = sd_bus_message_exit_container(message);
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(message);
}

int bus_entries_read(sd_bus_message *message, BusEntryRead read, void *userdata, Error *error) {
        const char *key, *type;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = entry_enter(message, &key, &type)) > 0) {
                r = read(message, key, type, userdata, error);
                if (r < 0)
                        return r;

                r = entry_exit(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(message);
}

/* How many strings (a map's keys and values count apart), numbers or descriptors are read; core checks the rest
 * of a key's range. */
static size_t key_max(SpecKey key) {
        return spec_key_type(key) == SPEC_TYPE_MAP ? 2 * spec_key_max(key) : spec_key_max(key);
}

static int too_many(SpecKey key, Error *error) {
        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: more than %zu entries", spec_key_name(key),
                         spec_key_max(key));
}

/* The string types of D-Bus are told apart: a path or signature is not a string. */
static int read_string(sd_bus_message *message, Value *value) {
        value->spec.has = SPEC_TYPE_STRING;
        return sd_bus_message_read(message, "s", &value->spec.string);
}

static int read_boolean(sd_bus_message *message, Value *value) {
        int boolean, r;

        r = sd_bus_message_read(message, "b", &boolean);
        if (r < 0)
                return r;

        value->spec.has = SPEC_TYPE_BOOLEAN;
        value->spec.boolean = boolean;
        return r;
}

static int read_unsigned(sd_bus_message *message, char type, Value *value) {
        uint32_t narrow;
        int r;

        value->spec.has = SPEC_TYPE_UNSIGNED;
        if (type == 't')
                return sd_bus_message_read(message, "t", &value->spec.number);

        r = sd_bus_message_read(message, "u", &narrow);
        if (r < 0)
                return r;

        value->spec.number = narrow;
        return r;
}

/* An array of strings, or of pairs of strings. */
static int read_strings(sd_bus_message *message, SpecKey key, Value *value, Error *error) {
        SpecType has = spec_key_type(key);
        const bool is_map = has == SPEC_TYPE_MAP;
        const char **strings;
        size_t n = 0;
        int r;

        /* Without a copy of the strings, and with one place more for the NULL behind them. */
        strings = calloc(key_max(key) + 1, sizeof(*strings));
        if (!strings)
                return -ENOMEM;
        value->strings = strings;

        r = sd_bus_message_enter_container(message, 'a', is_map ? "{ss}" : "s");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                if (n >= key_max(key))
                        return too_many(key, error);

                if (is_map)
                        r = sd_bus_message_read(message, "{ss}", &strings[n], &strings[n + 1]);
                else
                        r = sd_bus_message_read(message, "s", &strings[n]);
                if (r < 0)
                        return r;

                n += is_map ? 2 : 1;
        }
        if (r < 0)
                return r;

        value->spec.has = has;
        value->spec.strings = (char *const *) strings;
        return sd_bus_message_exit_container(message);
}

static int read_numbers(sd_bus_message *message, char type, SpecKey key, Value *value, Error *error) {
        const void *array;
        size_t size, n;
        int r;

        r = sd_bus_message_read_array(message, type, &array, &size);
        if (r < 0)
                return r;

        n = size / sizeof(uint32_t);
        if (n > key_max(key))
                return too_many(key, error);

        value->numbers = calloc(n + 1, sizeof(*value->numbers));
        if (!value->numbers)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++)
                value->numbers[i] = type == 'i' ? (int64_t) ((const int32_t *) array)[i]
                                                : (int64_t) ((const uint32_t *) array)[i];

        value->spec.has = SPEC_TYPE_NUMBERS;
        value->spec.numbers = value->numbers;
        value->spec.n_numbers = n;
        return 0;
}

/* The descriptors live with the message; spec_set() duplicates them. */
static int read_fds(sd_bus_message *message, SpecKey key, Value *value, Error *error) {
        const bool is_array = spec_key_type(key) == SPEC_TYPE_FDS;
        size_t n = 0;
        int r;

        value->fds = calloc(key_max(key), sizeof(*value->fds));
        if (!value->fds)
                return -ENOMEM;

        value->spec.has = spec_key_type(key);
        value->spec.fds = value->fds;
        value->spec.n_fds = 1;
        if (!is_array)
                return sd_bus_message_read(message, "h", &value->fds[0]);

        r = sd_bus_message_enter_container(message, 'a', "h");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                if (n >= key_max(key))
                        return too_many(key, error);

                r = sd_bus_message_read(message, "h", &value->fds[n]);
                if (r < 0)
                        return r;
                n++;
        }
        if (r < 0)
                return r;

        value->spec.n_fds = n;
        return sd_bus_message_exit_container(message);
}

/* Which D-Bus types a key takes. */
static const char *wanted_types(SpecType type) {
        switch (type) {
        case SPEC_TYPE_STRING:
                return "s";
        case SPEC_TYPE_BOOLEAN:
                return "b";
        case SPEC_TYPE_UNSIGNED:
                return "t or u";
        case SPEC_TYPE_SIZE:
        case SPEC_TYPE_SPAN:
                return "t, u or s";
        case SPEC_TYPE_STRINGS:
                return "as";
        case SPEC_TYPE_MAP:
                return "a{ss}";
        case SPEC_TYPE_NUMBERS:
                return "ai or au";
        case SPEC_TYPE_FD:
                return "h";
        case SPEC_TYPE_FDS:
                return "ah";
        }

        return "";
}

static bool type_is(const char *type, const char *wanted) {
        return strcmp(type, wanted) == 0;
}

static bool type_suits(SpecType wanted, const char *type) {
        switch (wanted) {
        case SPEC_TYPE_UNSIGNED:
                return type_is(type, "t") || type_is(type, "u");
        case SPEC_TYPE_SIZE:
        case SPEC_TYPE_SPAN:
                return type_is(type, "t") || type_is(type, "u") || type_is(type, "s");
        case SPEC_TYPE_NUMBERS:
                return type_is(type, "ai") || type_is(type, "au");
        default:
                return type_is(type, wanted_types(wanted));
        }
}

static int read_value(sd_bus_message *message, SpecKey key, const char *type, Value *value, Error *error) {
        if (!type_suits(spec_key_type(key), type))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: of type %s, wanted is %s", spec_key_name(key),
                                 type, wanted_types(spec_key_type(key)));

        switch (spec_key_type(key)) {
        case SPEC_TYPE_STRING:
                return read_string(message, value);
        case SPEC_TYPE_BOOLEAN:
                return read_boolean(message, value);
        case SPEC_TYPE_UNSIGNED:
        case SPEC_TYPE_SIZE:
        case SPEC_TYPE_SPAN:
                return type_is(type, "s") ? read_string(message, value) : read_unsigned(message, type[0], value);
        case SPEC_TYPE_STRINGS:
        case SPEC_TYPE_MAP:
                return read_strings(message, key, value, error);
        case SPEC_TYPE_NUMBERS:
                return read_numbers(message, type[1], key, value, error);
        case SPEC_TYPE_FD:
        case SPEC_TYPE_FDS:
                return read_fds(message, key, value, error);
        }

        return -EINVAL;
}

static int read_entry(sd_bus_message *message, const char *name, const char *type, void *userdata, Error *error) {
        Spec *spec = userdata;
        CLEANUP(value_clear) Value value = { .strings = NULL };
        SpecKey key;
        int r;

        r = spec_key_from_name(name, error, &key);
        if (r < 0)
                return r;

        r = read_value(message, key, type, &value, error);
        if (r < 0) {
                if (r != -ENOMEM)
                        (void) error_set(error, ERROR_INVALID_ARGUMENT, "%s: cannot be read", name);
                return r;
        }

        return spec_set(spec, key, &value.spec, error);
}

int bus_spec_read(sd_bus_message *message, Error *error, Spec **ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r;

        r = spec_new(&spec);
        if (r < 0)
                return r;

        r = bus_entries_read(message, read_entry, spec, error);
        if (r < 0)
                return r;

        *ret = STEAL_PTR(spec);
        return 0;
}
