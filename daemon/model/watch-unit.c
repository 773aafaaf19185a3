/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watches of systemd's units, which the bus layer follows. */

#include "model/watch-unit.h"

#include <errno.h>
#include <string.h>

#include "core/text.h"
#include "model/watch.h"

/* Whether the unit is asked for stands in watch->data, which is not freed. */
static bool is_asked_for(const Watch *watch) {
        return watch->data != NULL;
}

static void unit_start(Watch *watch) {
        const ManagerObserver *observer = watch->manager->observer;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        if (!observer->follow_unit) {
                r = error_set(&error, ERROR_NOT_SUPPORTED, "watches: %s: units cannot be followed here",
                              watch->spec.name);
                watch_started(watch, r, &error);
                return;
        }
        r = observer->follow_unit(watch->spec.what, true, &error, watch->manager->observer_userdata);
        if (r >= 0) {
                watch->data = watch;
                return; /* manager_unit_followed() comes */
        }
        error_prefix(&error, "watches: %s", watch->spec.name);
        watch_started(watch, r, &error);
}

/* The bus tells what has happened when it did; nothing comes late. */
static void unit_arm(Watch *watch, bool held) {
}

static void unit_stop(Watch *watch) {
        const ManagerObserver *observer = watch->manager->observer;

        if (is_asked_for(watch))
                (void) observer->follow_unit(watch->spec.what, false, NULL, watch->manager->observer_userdata);
        watch_free(watch);
}

const WatchOps watch_unit_ops = {
        .start = unit_start,
        .arm = unit_arm,
        .stop = unit_stop,
};

static bool is_of(const Watch *watch, const char *unit) {
        return watch->ops == &watch_unit_ops && strcmp(watch->spec.what, unit) == 0;
}

/* What a watch does may end others: the search begins anew after each. */
static Watch *find_starting(Manager *manager, const char *unit) {
        Watch *watch;

        LIST_FOREACH(watch, &manager->watches, watches)
                if (is_of(watch, unit) && watch->starting && is_asked_for(watch))
                        return watch;
        return NULL;
}

void manager_unit_followed(Manager *manager, const char *unit, int r, const Error *error) {
        Watch *watch;

        while ((watch = find_starting(manager, unit))) {
                CLEANUP(error_clear) Error failure = ERROR_INIT;

                if (r < 0)
                        (void) error_set(&failure, error->code, "watches: %s: %s", watch->spec.name,
                                         error_text(error));
                watch_started(watch, r, &failure);
        }
}

static void note(Watch *watch, const char *result) {
        char shown[TEXT_ESCAPE_SIZE], *text;

        if (!watch_fire(watch))
                return;
        if (asprintf(&text, "%s: %s", watch->spec.what, text_escape(result, shown, sizeof(shown))) >= 0)
                watch_set_seen(watch, text);
}

void manager_unit_incident(Manager *manager, const char *unit, UnitIncident incident, const char *result) {
        Watch *watch;

        LIST_FOREACH(watch, &manager->watches, watches)
                if (is_of(watch, unit) && watch->spec.watchdog == (incident == UNIT_WATCHDOG))
                        note(watch, result);
}
