/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/trigger.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/spec.h"
#include "core/strv.h"
#include "core/text.h"

#define FIELD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
void trigger_clear(Trigger *trigger) {
        free(trigger->event);
        free(trigger->command);
        free(trigger->filter);
        free(trigger->other);
        *trigger = (Trigger){ 0 };
}

static int wrong(const char *text, const char *at, Error *error, const char *why) {
        return error_set_at(error, text, at, "%s", why);
}

/* The three parts of the text: the event's pattern, what to do, and the condition. *ret_at: where the second begins.
 */
static int split(const char *text, Error *error, Trigger *trigger, const char **ret_at) {
        const char *at = text + strcspn(text, " "), *condition;
        int r = spec_check_text(text, error);

        if (r < 0)
                return r;
        trigger->event = strndup(text, (size_t) (at - text));
        if (!trigger->event)
                return -ENOMEM;
        at += strspn(at, " ");
        if (*trigger->event == '\0' || *at == '\0')
                return wrong(text, at, error, "An event and, behind a space, what to do is needed");
        condition = at + strcspn(at, " ");
        trigger->command = strndup(at, (size_t) (condition - at));
        condition += strspn(condition, " ");
        if (*condition != '\0') {
                if (strncmp(condition, "if ", 3) != 0)
                        return wrong(text, condition, error, "\"if\" and a condition, or nothing, can follow here");
                trigger->filter = strdup(condition + 3 + strspn(condition + 3, " "));
                if (!trigger->filter)
                        return -ENOMEM;
                if (*trigger->filter == '\0')
                        return wrong(text, condition + 3, error, "The condition is missing");
        }
        *ret_at = at;
        return trigger->command ? 0 : -ENOMEM;
}

static int check_event(const Trigger *trigger, Error *error) {
        if (trigger->event[0] == '!')
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" begins with '!', which is for events only",
                                 TEXT_ESCAPE(trigger->event));
        return event_pattern_check(trigger->event, error);
}

static int check_count(const char *text, const char *at, Error *error) {
        if (*at == '\0' || *at == ' ')
                return 0;
        if (*at != ':' || !isdigit((unsigned char) at[1]) || strspn(at + 1, "0123456789") != strcspn(at + 1, " "))
                return wrong(text, at, error, "':' and a count, or nothing, can follow here");
        return 0;
}

/* "SYSTEM:EVENT" behind enable_event and disable_event. */
static int take_other(const char *text, const char *at, Error *error, Trigger *trigger) {
        size_t system = strspn(at, FIELD_CHARACTERS "-"), event;

        if (system == 0 || at[system] != ':')
                return wrong(text, at, error, "Which event is named as SYSTEM:EVENT");
        event = strspn(at + system + 1, FIELD_CHARACTERS "-");
        if (event == 0)
                return wrong(text, at + system + 1, error, "The name of the event is missing");
        trigger->other = strndup(at, system + 1 + event);
        if (!trigger->other)
                return -ENOMEM;
        return check_count(text, at + system + 1 + event, error);
}

static int parse_action(const char *text, const char *at, Error *error, Trigger *trigger) {
        size_t length = strcspn(at, ": ");
        static const char *const plain[] = { "stacktrace", "traceon", "traceoff" };
        static const char *const others[] = { "enable_event", "disable_event" };

        for (size_t i = 0; i < ELEMENTSOF(plain); i++)
                if (strlen(plain[i]) == length && strncmp(at, plain[i], length) == 0) {
                        trigger->switches = i > 0;
                        return check_count(text, at + length, error);
                }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (strlen(others[i]) == length && strncmp(at, others[i], length) == 0)
                        return at[length] == ':' ? take_other(text, at + length + 1, error, trigger)
                                                 : wrong(text, at + length, error, "':' and which event is missing");
        if (length == 4 && strncmp(at, "hist", length) == 0)
                return wrong(text, at, error, "Histograms have a key of their own");
        if (length == 8 && strncmp(at, "snapshot", length) == 0)
                return wrong(text, at, error,
                             "The kernel's snapshot buffer is not used; a session with mode \"ring\" has snapshots");
        return wrong(text, at, error, "There are stacktrace, traceon, traceoff, enable_event and disable_event");
}

int trigger_parse(const char *text, Error *error, Trigger *ret) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };
        const char *at = text;
        int r = split(text, error, &trigger, &at);

        if (r >= 0)
                r = parse_action(text, at, error, &trigger);
        if (r >= 0)
                r = check_event(&trigger, error);
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        if (r < 0)
                return r;
        *ret = trigger;
        trigger = (Trigger){ 0 };
        return 0;
}

int trigger_check(const char *text, Error *error) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };

        return trigger_parse(text, error, &trigger);
}

bool triggers_switch(char *const *triggers) {
        for (; triggers && *triggers; triggers++) {
                CLEANUP(trigger_clear) Trigger trigger = { 0 };

                if (trigger_parse(*triggers, NULL, &trigger) >= 0 && trigger.switches)
                        return true;
        }
        return false;
}

bool triggers_record_stacks(char *const *triggers) {
        for (; triggers && *triggers; triggers++) {
                CLEANUP(trigger_clear) Trigger trigger = { 0 };

                if (trigger_parse(*triggers, NULL, &trigger) >= 0 && trigger.command &&
                    strncmp(trigger.command, "stacktrace", strlen("stacktrace")) == 0)
                        return true;
        }
        return false;
}

int triggers_add_systems(char *const *triggers, char ***systems) {
        for (; triggers && *triggers; triggers++) {
                CLEANUP(trigger_clear) Trigger trigger = { 0 };
                int r = trigger_parse(*triggers, NULL, &trigger);

                if (r == -ENOMEM)
                        return r;
                if (r < 0 || !trigger.other)
                        continue;
                trigger.other[strcspn(trigger.other, ":")] = '\0';
                if (!strv_contains(*systems, trigger.other) && strv_append(systems, trigger.other) < 0)
                        return -ENOMEM;
        }
        return 0;
}
