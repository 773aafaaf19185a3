/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Events: patterns as users write them, and the concrete events that they select.
 *
 *   "sched"                  every event of the system
 *   "sched:sched_switch"     one event
 *   "sched:*wak*", "ext?:*"  globs (fnmatch(3), without escapes) in both parts
 *   "sched_switch"           no such system: every event of that name, in any system
 *   "openat"                 no such system or event: sys_enter_openat and sys_exit_openat
 *   "syscalls:openat"        the same, where a system has the syscall's name (signal, mmap)
 *
 *   "!pattern"               removes what earlier patterns of the list selected (an error when that is nothing)
 *
 * A bare word is tried in that order: system, event, system call; the first that matches anything counts.
 *
 * Resolving is a pure function of the pattern and the list of what the kernel has.
 */

#include <stddef.h>

#include "core/error.h"
#include "core/spec.h"

/* What the kernel has; rows sorted by system, then name (event_list_sort). */
typedef struct EventName {
        char *system;
        char *name;
} EventName;

typedef struct EventList {
        EventName *events;
        size_t n_events;
} EventList;

void event_list_clear(EventList *list);
/* Parses the text of available_events: "system:name" a line. */
int event_list_parse(const char *text, EventList *ret);

/* Takes those out whose system begins with `prefix`. */
void event_list_drop_systems(EventList *list, const char *prefix);

/* Takes those of one system out whose name begins with `prefix`. */
void event_list_drop_names(EventList *list, const char *system, const char *prefix);

/* What a session records. Sorted, without repetition. */
typedef struct EventChoice {
        char *system;
        char *name;
        char *filter; /* NULL: none */
} EventChoice;

typedef struct EventSelection {
        EventChoice *choices;
        size_t n_choices;
        char **whole_systems; /* every event of these is chosen, so that one write can enable them */
        char **systems;       /* all that occur */
        bool tells_of_memory; /* a condition of the spec does; see filter_tells_of_memory() */
} EventSelection;

void event_selection_clear(EventSelection *selection);
/* A copy without those events ("system:event", may be NULL), and without the systems that are not whole then.
 * -ENOMEM. */
int event_selection_copy(const EventSelection *selection, char *const *without, EventSelection *ret);
/* The choices as "system:event". -ENOMEM. */
int event_selection_names(const EventSelection *selection, char ***ret);

/* Syntax only; for the message names the pattern. */
int event_pattern_check(const char *pattern, Error *error);

/* The events of `list` that match, as "system:name" strings. No match is no error. */
int event_pattern_match(const char *pattern, const EventList *list, char ***ret);

/* A spec without events selects none. ERROR_NO_SUCH_EVENT names the pattern that matched nothing and, if there is
 * one, the nearest name. A filter whose pattern matches none of the selected events is ERROR_INVALID_ARGUMENT, as are
 * two filters for one event. Filters of the spec's own probes are left out: probe-set.h sets them. */
int event_selection_resolve(const Spec *spec, const EventList *list, Error *error, EventSelection *ret);
