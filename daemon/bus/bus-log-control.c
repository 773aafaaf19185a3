/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-log-control.h"

#include "bus/bus-call.h"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

static int set_invalid(sd_bus_error *ret_error, const char *what) {
        return sd_bus_error_setf(ret_error, SD_BUS_ERROR_INVALID_ARGS, "No such %s", what);
}

static int get_level(sd_bus *connection, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Log *log = userdata;

        return sd_bus_message_append(reply, "s", log_level_to_string(log->max_level));
}

static int set_level(sd_bus *connection, const char *path, const char *interface, const char *property,
                     sd_bus_message *value, void *userdata, sd_bus_error *ret_error) {
        Log *log = userdata;
        const char *text;
        int level, r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        if (log_level_from_string(text, &level) < 0)
                return set_invalid(ret_error, "log level");

        log->max_level = level;
        log_write(log, LOG_INFO, NULL, "Log level is now %s", log_level_to_string(level));
        return 0;
}

static int get_target(sd_bus *connection, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Log *log = userdata;

        return sd_bus_message_append(reply, "s", log_target_to_string(log->target));
}

static int set_target(sd_bus *connection, const char *path, const char *interface, const char *property,
                      sd_bus_message *value, void *userdata, sd_bus_error *ret_error) {
        Log *log = userdata;
        LogTarget target;
        const char *text;
        int r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        if (log_target_from_string(text, &target) < 0)
                return set_invalid(ret_error, "log target");

        log->target = target;
        return 0;
}

static int get_identifier(sd_bus *connection, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        return sd_bus_message_append(reply, "s", LOG_IDENTIFIER);
}

/* sd-bus sets a property as soon as it sees the message. So the message is taken away from it until the
 * sender's user is known, and given back when that is root. */
static void execute_set(BusCall *call) {
        int r;

        r = sd_bus_message_rewind(call->message, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(call->bus->bus, call->message);

        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_free(call);
}

static const BusMethod methods[] = {
        { "Set", NULL, NULL, execute_set },
        { .member = NULL },
};

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Bus *bus = userdata;
        uid_t uid;

        if (sd_bus_message_is_method_call(message, PROPERTIES_INTERFACE, "Set") <= 0)
                return 0;

        if (bus_peers_lookup(bus->peers, bus_sender(bus, message), &uid) && uid == 0)
                return 0;

        return bus_call_begin(bus, message, PROPERTIES_INTERFACE, methods, NULL);
}

int bus_log_control_add(Bus *bus, Error *error) {
        int r;

        r = sd_bus_add_filter(bus->bus, NULL, on_message, bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus->bus, NULL, BUS_LOG_CONTROL_PATH, BUS_LOG_CONTROL_INTERFACE,
                                             bus_log_control_vtable, bus->config.log);

        return r < 0 ? error_set_errno(error, r, "Failed to add %s", BUS_LOG_CONTROL_PATH) : 0;
}

/* SD_BUS_VTABLE_UNPRIVILEGED: see bus-manager.c. */
const sd_bus_vtable bus_log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),

        SD_BUS_VTABLE_END,
};
