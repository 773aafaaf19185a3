/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/event-finder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/probe.h"
#include "core/sql-query.h"
#include "core/strv.h"
#include "core/synthetic-event.h"
#include "core/text.h"
#include "kernel/synthetic.h"

static int no_memory(Error *error) {
        return error_set_errno(error, -ENOMEM, "Cannot find the event");
}

static int give(const char *system, const char *prefix, const char *name, Error *error, char **ret_system,
                char **ret_name) {
        CLEANUP_FREE char *system_copy = strdup(system);
        char *full;

        if (!system_copy || asprintf(&full, "%s%s", prefix, name) < 0)
                return no_memory(error);
        *ret_system = STEAL_PTR(system_copy);
        *ret_name = full;
        return 0;
}

/* One of the session's own: 1; 0 when it has none of that name. */
static int find_own(const EventFinder *finder, const char *name, Error *error, char **ret_system, char **ret_name) {
        CLEANUP_FREE char *prefix = NULL;
        int r;

        if (probes_have(finder->spec->probes, name))
                r = give(finder->group ? finder->group : "", "", name, error, ret_system, ret_name);
        else if (!sql_queries_have(finder->spec->sql, name) &&
                 !synthetic_events_have(finder->spec->synthetic_events, name, NULL))
                return 0;
        else if (!finder->instance)
                r = give("", "", name, error, ret_system, ret_name);
        else if (synthetic_prefix(finder->instance, &prefix) < 0)
                r = no_memory(error);
        else
                r = give(SYNTHETIC_SYSTEM, prefix, name, error, ret_system, ret_name);
        return r < 0 ? r : 1;
}

int event_finder_find(const EventFinder *finder, const char *pattern, Error *error, char **ret_system,
                      char **ret_name) {
        CLEANUP(strv_freep) char **names = NULL;
        CLEANUP_FREE char *system = NULL;
        const char *colon;
        int r;

        r = find_own(finder, pattern, error, ret_system, ret_name);
        if (r != 0)
                return r < 0 ? r : 0;
        r = event_pattern_match(pattern, finder->list, &names);
        if (r < 0)
                return error_set_errno(error, r, "Cannot find the event");
        if (strv_length(names) == 0)
                return error_set(error, ERROR_NO_SUCH_EVENT, "No event matches \"%s\"", TEXT_ESCAPE(pattern));
        if (strv_length(names) > 1)
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" means %zu events, %s among them; name one",
                                 TEXT_ESCAPE(pattern), strv_length(names), names[0]);
        colon = strchr(names[0], ':');
        system = strndup(names[0], (size_t) (colon - names[0]));
        return system ? give(system, "", colon + 1, error, ret_system, ret_name) : no_memory(error);
}

int event_finder_find_target(const EventFinder *finder, const char *target, Error *error, char **ret_system,
                             char **ret_name) {
        const char *dot = strchr(target, '.');
        size_t length = dot ? (size_t) (dot - target) : 0;
        CLEANUP_FREE char *system = strndup(target, length);
        int r = 0;

        if (!system)
                return no_memory(error);
        /* Those that the kernel has in the system of that name, the session has by their bare names. */
        if (!dot || strcmp(system, SYNTHETIC_SYSTEM) == 0)
                r = find_own(finder, dot ? dot + 1 : target, error, ret_system, ret_name);
        if (r != 0)
                return r < 0 ? r : 0;
        for (size_t i = 0; dot && i < finder->list->n_events; i++) {
                const EventName *event = &finder->list->events[i];

                if (strcmp(event->system, system) == 0 && strcmp(event->name, dot + 1) == 0)
                        return give(system, "", event->name, error, ret_system, ret_name);
        }
        return error_set(error, ERROR_NO_SUCH_EVENT, "No event is called \"%s\"%s", target,
                         dot ? "" : " in this session; others are named as SYSTEM.EVENT");
}

int event_finder_show_names(const Instance *instance, char *text) {
        CLEANUP_FREE char *prefix = NULL;
        char *last;
        int r = synthetic_prefix(instance, &prefix);

        if (r < 0)
                return r;
        text_drop(text, prefix);
        /* The system of its probes is the same but for the end. */
        last = prefix + strlen(prefix) - 1;
        for (const char *separator = ".:/"; *separator != '\0'; separator++) {
                *last = *separator;
                text_drop(text, prefix);
        }
        return 0;
}

int event_fields_read(const char *system, const char *name, Error *error, EventFields *ret) {
        CLEANUP(event_fields_clear) EventFields fields = { 0 };
        int r;

        if (*system == '\0') {
                *ret = fields;
                return 0;
        }
        r = event_format_new(system, name, error, &fields.format);
        if (r < 0)
                return r;
        r = event_format_filter_fields(fields.format, &fields.fields, &fields.n_fields);
        if (r < 0)
                return error_set_errno(error, r, "Cannot check the fields of %s:%s", system, name);
        *ret = fields;
        fields = (EventFields){ 0 };
        return 0;
}

void event_fields_clear(EventFields *fields) {
        event_format_free(fields->format);
        free(fields->fields);
        *fields = (EventFields){ 0 };
}
