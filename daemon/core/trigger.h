/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Trigger: what the kernel does when an event of the session occurs (Documentation/trace/events.rst, section 6; for
 * histograms see hist-trigger.h):
 *
 *   EVENT stacktrace[:COUNT] [if FILTER]                  its kernel stack is recorded
 *   EVENT traceoff[:COUNT] [if FILTER], traceon           recording pauses, goes on
 *   EVENT enable_event:SYSTEM:EVENT[:COUNT] [if FILTER]   another event is recorded, disable_event: no longer
 *
 * EVENT is a pattern that means one event. Whether events and fields exist is seen against the running kernel.
 *
 * Life cycle: trigger_parse(), trigger_clear().
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct Trigger {
        char *event;   /* pattern */
        char *command; /* as the kernel takes it, without the condition */
        char *filter;  /* NULL: none */
        char *other;   /* enable_event, disable_event: "system:event"; NULL */
        bool switches; /* traceon, traceoff */
} Trigger;

/* ERROR_INVALID_ARGUMENT: a sentence, then the text and, on a line of its own, '^' below the position. */
int trigger_parse(const char *text, Error *error, Trigger *ret);
void trigger_clear(Trigger *trigger);

/* For the table of the spec's keys. */
int trigger_check(const char *text, Error *error);

/* Does one of them record kernel stacks? */
bool triggers_record_stacks(char *const *triggers);
/* Appends the systems of events that they enable, where they are not there yet. -ENOMEM. */
int triggers_add_systems(char *const *triggers, char ***systems);
/* Does one of them switch tracing off and on? */
bool triggers_switch(char *const *triggers);
