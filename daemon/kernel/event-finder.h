/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EventFinder: what the names of events in triggers and histograms mean, those of the session's own among them. For
 * this layer; plain data, nothing to free.
 */

#include "core/error.h"
#include "core/event.h"
#include "core/filter.h"
#include "core/spec.h"
#include "kernel/event-format.h"
#include "kernel/instance.h"

typedef struct EventFinder {
        const Spec *spec;
        const Instance *instance; /* NULL: the session's own events are not defined yet */
        const char *group;        /* the system of its probes; NULL: none, or not defined yet */
        const EventList *list;
} EventFinder;

/* The one event that a pattern means; its parts, as the kernel calls them, are the caller's to free. The system is ""
 * while the event is not defined. ERROR_NO_SUCH_EVENT, ERROR_INVALID_ARGUMENT. */
int event_finder_find(const EventFinder *finder, const char *pattern, Error *error, char **ret_system,
                      char **ret_name);

/* The same for "SYSTEM.EVENT", or the bare name of one of the session's own. */
int event_finder_find_target(const EventFinder *finder, const char *target, Error *error, char **ret_system,
                             char **ret_name);

/* In a text of the kernel's, the session's own events get the names that it gave them, and a mark below one of them
 * stays where it belongs. -ENOMEM. */
int event_finder_show_names(const Instance *instance, char *text);

/* The fields of an event, for checks. */
typedef struct EventFields {
        EventFormat *format;
        FilterField *fields; /* NULL: not known yet */
        size_t n_fields;
} EventFields;

/* Leaves it empty when the system is "". */
int event_fields_read(const char *system, const char *name, Error *error, EventFields *ret);
void event_fields_clear(EventFields *fields);
