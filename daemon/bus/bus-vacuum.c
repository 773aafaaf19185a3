/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-vacuum.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "bus/bus-spec.h"
#include "core/parse.h"
#include "core/text.h"
#include "model/retention.h"

static const struct {
        const char *key;
        size_t offset;
        int (*parse)(const char *text, uint64_t *ret); /* NULL: numbers only */
} keys[] = {
        { "max_use", offsetof(RetentionLimits, max_use), parse_size },
        { "max_files", offsetof(RetentionLimits, max_files), NULL },
        { "max_age", offsetof(RetentionLimits, max_age), parse_span },
};

static int parse_value(BusCall *call, size_t key, const char *type, Error *error) {
        uint64_t *to = (uint64_t *) ((char *) &call->vacuum + keys[key].offset);
        const char *text;
        int r;

        if (*to > 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: given twice", keys[key].key);
        if (strcmp(type, "t") == 0)
                r = sd_bus_message_read(call->message, "t", to);
        else if (keys[key].parse && strcmp(type, "s") == 0) {
                r = sd_bus_message_read(call->message, "s", &text);
                if (r >= 0 && keys[key].parse(text, to) < 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: cannot read \"%s\"", keys[key].key,
                                         TEXT_ESCAPE(text));
        } else
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: of type %s, wanted is %s", keys[key].key, type,
                                 keys[key].parse ? "t or s" : "t");
        if (r < 0)
                return r;

        return *to > 0 ? 0 : error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be more than 0", keys[key].key);
}

static int parse_entry(sd_bus_message *message, const char *key, const char *type, void *userdata, Error *error) {
        BusCall *call = userdata;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strcmp(keys[i].key, key) == 0)
                        return parse_value(call, i, type, error);

        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\" of the limits", TEXT_ESCAPE(key));
}

int bus_vacuum_parse(BusCall *call, Error *error) {
        int r;

        r = bus_entries_read(call->message, parse_entry, call, error);
        if (r < 0)
                return r;

        if (call->vacuum.max_use == 0 && call->vacuum.max_files == 0 && call->vacuum.max_age == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "One of max_use, max_files and max_age is needed");

        return 0;
}

static void on_vacuumed(int r, const Error *error, void *result, void *userdata) {
        BusCall *call = userdata;

        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, "t", *(uint64_t *) result);
}

void bus_vacuum_execute(BusCall *call) {
        manager_vacuum(call->bus->manager, &call->vacuum, on_vacuumed, call);
}
