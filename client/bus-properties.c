/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/bus-properties.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/cleanup.h"

static int read_value(sd_bus_message *message, const BusProperty *property) {
        const char type[] = { property->type, '\0' };
        const char *string;
        char *copy;
        int r;

        if (property->type != 's' && property->type != 'o')
                return sd_bus_message_read(message, "v", type, property->value);
        r = sd_bus_message_read(message, "v", type, &string);
        if (r < 0)
                return r;
        copy = strdup(string);
        if (!copy)
                return -ENOMEM;
        free(*(char **) property->value);
        *(char **) property->value = copy;
        return 0;
}

static int read_entry(sd_bus_message *message, const BusProperty *properties, size_t n_properties, bool *found) {
        const char *name;
        int r;

        r = sd_bus_message_read_basic(message, 's', &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_properties; i++)
                if (strcmp(name, properties[i].name) == 0) {
                        r = read_value(message, &properties[i]);
                        if (r >= 0)
                                found[i] = true;
                        return r;
                }
        return sd_bus_message_skip(message, "v");
}

static int read_dictionary(sd_bus_message *message, const BusProperty *properties, size_t n_properties, bool *found) {
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = read_entry(message, properties, n_properties, found);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        return r;
}

int bus_properties_get(BusClient *client, const char *path, const char *interface, const BusProperty *properties,
                       size_t n_properties, Error *error) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        CLEANUP_FREE bool *found = calloc(n_properties, sizeof(*found));
        int r;

        if (!found)
                return bus_client_message_error(-ENOMEM, error);
        r = bus_client_new_call(client, path, "org.freedesktop.DBus.Properties", "GetAll", error, &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(call, 's', interface);
        if (r < 0)
                return bus_client_message_error(r, error);
        r = bus_client_call(client, call, CALL_NO_AUTO_START, error, &reply);
        if (r < 0)
                return r;
        r = read_dictionary(reply, properties, n_properties, found);
        if (r < 0)
                return bus_client_message_error(r, error);
        for (size_t i = 0; i < n_properties; i++)
                if (!found[i])
                        return error_set(error, ERROR_FAILED, "ktraced did not send the property %s",
                                         properties[i].name);
        return 0;
}
