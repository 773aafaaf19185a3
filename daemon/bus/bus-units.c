/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define UNIT_PATH SYSTEMD_PATH "/unit"
#define PROPERTIES "org.freedesktop.DBus.Properties"

typedef struct Unit Unit;

struct Unit {
        LIST_ENTRY(Unit) units;
        BusUnits *owner;
        char *name, *path;
        unsigned n; /* times it is asked for */
        sd_bus_slot *match;
        sd_bus_slot *call;         /* for its state now; while this is out, it is not followed yet */
        bool has_failed;           /* its state says so */
        bool has_bad_result;       /* "Result" does, which a unit that is restarted has, too */
        bool fired;                /* its watchdog */
        sd_event_source *deferred; /* an answer to who asked for one that is followed already */
};

struct BusUnits {
        BusUnitsConfig config;
        sd_bus_slot *subscription;
        bool subscribed;
        LIST_HEAD(UnitList, Unit) units;
};

/* What a message says of a unit; NULL: nothing. The strings live with the message. */
typedef struct UnitProperties {
        const char *load_state, *active_state, *result;
} UnitProperties;

static void unit_free(Unit *unit) {
        LIST_REMOVE(unit, units);
        sd_bus_slot_unref(unit->match);
        sd_bus_slot_unref(unit->call);
        sd_event_source_disable_unref(unit->deferred);
        free(unit->name);
        free(unit->path);
        free(unit);
}

static void unit_leave(Unit *unit) {
        if (--unit->n == 0)
                unit_free(unit);
}

int bus_units_new(const BusUnitsConfig *config, BusUnits **ret) {
        BusUnits *units = calloc(1, sizeof(*units));

        if (!units)
                return -ENOMEM;
        units->config = *config;
        LIST_INIT(&units->units);
        *ret = units;
        return 0;
}

void bus_units_free(BusUnits *units) {
        Unit *unit;

        if (!units)
                return;
        while ((unit = LIST_FIRST(&units->units)))
                unit_free(unit);
        sd_bus_slot_unref(units->subscription);
        free(units);
}

static int read_properties(sd_bus_message *message, UnitProperties *ret) {
        UnitProperties properties = { .result = NULL };
        const char *name;
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                const char **to = NULL;

                r = sd_bus_message_read(message, "s", &name);
                if (r < 0)
                        return r;
                if (strcmp(name, "LoadState") == 0)
                        to = &properties.load_state;
                else if (strcmp(name, "ActiveState") == 0)
                        to = &properties.active_state;
                else if (strcmp(name, "Result") == 0)
                        to = &properties.result;
                r = to ? sd_bus_message_read(message, "v", "s", to) : sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r < 0)
                return r;
        *ret = properties;
        return 0;
}

/* systemd sends what the type of the unit has ("Result") before what all units have, and always everything: what
 * counts is that it becomes bad. */
static void take(Unit *unit, const UnitProperties *properties) {
        const BusUnitsConfig *config = &unit->owner->config;
        const bool was_bad = unit->has_failed || unit->has_bad_result, had_fired = unit->fired;
        bool is_bad;

        if (properties->result) {
                unit->has_bad_result = strcmp(properties->result, "success") != 0;
                unit->fired = strcmp(properties->result, "watchdog") == 0;
        }
        if (properties->active_state)
                unit->has_failed = strcmp(properties->active_state, "failed") == 0;
        is_bad = unit->has_failed || unit->has_bad_result;
        /* Who hears of it may leave the unit. */
        unit->n++;
        if (unit->fired && !had_fired)
                config->incident(unit->name, UNIT_WATCHDOG, properties->result, config->userdata);
        if (is_bad && !was_bad)
                config->incident(unit->name, UNIT_FAILED,
                                 properties->result ? properties->result : properties->active_state,
                                 config->userdata);
        unit_leave(unit);
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        UnitProperties properties;
        Unit *unit = userdata;

        /* Before the state at the beginning is known, nothing can become bad. */
        if (unit->call)
                return 0;
        if (sd_bus_message_skip(message, "s") >= 0 && read_properties(message, &properties) >= 0)
                take(unit, &properties);
        return 0;
}

static int read_state(Unit *unit, sd_bus_message *reply, Error *error) {
        UnitProperties properties;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                const sd_bus_error *failure = sd_bus_message_get_error(reply);

                return error_set(error, ERROR_FAILED, "Cannot follow the unit %s: %s", unit->name,
                                 failure->message ? failure->message : failure->name);
        }
        r = read_properties(reply, &properties);
        if (r < 0)
                return error_set_errno(error, r, "Cannot follow the unit %s", unit->name);
        if (properties.load_state && strcmp(properties.load_state, "not-found") == 0)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "There is no unit %s", unit->name);
        unit->has_failed = properties.active_state && strcmp(properties.active_state, "failed") == 0;
        unit->has_bad_result = properties.result && strcmp(properties.result, "success") != 0;
        unit->fired = properties.result && strcmp(properties.result, "watchdog") == 0;
        return 0;
}

/* Those that asked for it leave it when it cannot be followed, and with the last it is freed. */
static int on_state(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *name = NULL;
        Unit *unit = userdata;
        BusUnits *units = unit->owner;
        int r;

        unit->call = sd_bus_slot_unref(unit->call);
        r = read_state(unit, reply, &error);
        name = strdup(unit->name);
        if (name)
                units->config.followed(name, r, &error, units->config.userdata);
        return 0;
}

/* Without it systemd sends no signals of units. That it says no when it has been asked before does no harm. */
static int on_subscribed(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        BusUnits *units = userdata;

        /* systemd was not there: the next time it is asked again. */
        if (sd_bus_message_is_method_error(reply, NULL) &&
            !sd_bus_message_is_method_error(reply, "org.freedesktop.systemd1.AlreadySubscribed"))
                units->subscribed = false;
        return 0;
}

static int subscribe(BusUnits *units) {
        if (units->subscribed)
                return 0;
        units->subscription = sd_bus_slot_unref(units->subscription);
        units->subscribed = true;
        return sd_bus_call_method_async(units->config.bus, &units->subscription, SYSTEMD, SYSTEMD_PATH,
                                        SYSTEMD ".Manager", "Subscribe", on_subscribed, units, NULL);
}

/* The signals are asked for first, so that none is missed between the state and them. */
static int begin(Unit *unit) {
        sd_bus *bus = unit->owner->config.bus;
        int r;

        r = sd_bus_path_encode(UNIT_PATH, unit->name, &unit->path);
        if (r >= 0)
                r = subscribe(unit->owner);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &unit->match, SYSTEMD, unit->path, PROPERTIES, "PropertiesChanged",
                                              on_changed, NULL, unit);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &unit->call, SYSTEMD, unit->path, PROPERTIES, "GetAll", on_state,
                                             unit, "s", "");
        return r;
}

static Unit *find(BusUnits *units, const char *name, size_t *ret_n) {
        Unit *unit, *found = NULL;

        *ret_n = 0;
        LIST_FOREACH(unit, &units->units, units) {
                (*ret_n)++;
                if (strcmp(unit->name, name) == 0)
                        found = unit;
        }
        return found;
}

static int on_deferred(sd_event_source *source, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *name = NULL;
        Unit *unit = userdata;
        BusUnits *units = unit->owner;

        unit->deferred = sd_event_source_disable_unref(unit->deferred);
        name = strdup(unit->name);
        if (name)
                units->config.followed(name, 0, &error, units->config.userdata);
        return 0;
}

static int follow_again(Unit *unit) {
        unit->n++;
        if (unit->call || unit->deferred)
                return 0;
        return sd_event_add_defer(sd_bus_get_event(unit->owner->config.bus), &unit->deferred, on_deferred, unit);
}

int bus_units_follow(BusUnits *units, const char *name, Error *error) {
        size_t n;
        Unit *unit = find(units, name, &n);
        int r;

        if (unit) {
                r = follow_again(unit);
                if (r < 0)
                        unit->n--;
                return r < 0 ? error_set_errno(error, r, "Cannot follow the unit %s", name) : 0;
        }
        if (n >= BUS_UNITS_MAX)
                return error_set(error, ERROR_QUOTA_EXCEEDED, "%zu units are followed already, as many as can be", n);
        unit = calloc(1, sizeof(*unit));
        if (!unit)
                return error_set_errno(error, -ENOMEM, "Cannot follow the unit %s", name);
        unit->owner = units;
        unit->n = 1;
        LIST_INSERT_HEAD(&units->units, unit, units);
        unit->name = strdup(name);
        r = unit->name ? begin(unit) : -ENOMEM;
        if (r < 0) {
                unit_free(unit);
                return error_set_errno(error, r, "Cannot follow the unit %s", name);
        }
        return 0;
}

void bus_units_leave(BusUnits *units, const char *name) {
        size_t n;
        Unit *unit = find(units, name, &n);

        if (unit)
                unit_leave(unit);
}
