/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/trigger.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/strv.h"
#include "core/suggestion.h"
#include "core/text.h"

#define FIELD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
/* HIST_TRIGGER: entries of the map, kernel/trace/tracing_map.h. */
#define SIZE_MIN 128U
#define SIZE_MAX_ENTRIES 131072U

void trigger_clear(Trigger *trigger) {
        free(trigger->event);
        free(trigger->command);
        free(trigger->filter);
        free(trigger->other);
        *trigger = (Trigger){ 0 };
}

static int wrong(const char *text, const char *at, Error *error, const char *why) {
        (void) error_set(error, ERROR_INVALID_ARGUMENT, "%s\n  %s\n  %*s^", why, text, (int) (at - text), "");
        return -EINVAL;
}

/* The three parts of the text: the event's pattern, what to do, and the condition. *ret_at: where the second begins.
 */
static int split(const char *text, Error *error, Trigger *trigger, const char **ret_at) {
        const char *at = text + strcspn(text, " "), *condition;

        if (!text_is_printable(text)) {
                (void) error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has a control character or bad UTF-8",
                                 TEXT_ESCAPE(text));
                return -EINVAL;
        }
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

/* Histograms */

typedef struct FieldCheck {
        const FilterField *fields; /* NULL: any */
        size_t n_fields;
} FieldCheck;

static bool is_one_of(const char *const *words, size_t n, const char *word, size_t length) {
        for (size_t i = 0; i < n; i++)
                if (strlen(words[i]) == length && strncmp(words[i], word, length) == 0)
                        return true;
        return false;
}

static int check_field(const char *text, const char *at, size_t length, const FieldCheck *check, Error *error) {
        static const char *const always[] = {
                "hitcount",         "common_pid",           "common_cpu",  "cpu",
                "common_timestamp", "common_stacktrace",    "stacktrace",  "common_type",
                "common_flags",     "common_preempt_count", "common_comm",
        };
        CLEANUP_FREE char *name = strndup(at, length);
        Suggestion suggestion;

        if (!name)
                return -ENOMEM;
        if (!check->fields || is_one_of(always, ELEMENTSOF(always), at, length))
                return 0;
        suggestion_init(&suggestion, name);
        for (size_t i = 0; i < check->n_fields; i++) {
                if (strcmp(check->fields[i].name, name) == 0)
                        /* The kernel would take such a pointer for one of its own (add_to_key(),
                         * trace_events_hist.c): what is there shows, and nothing may be there. */
                        return check->fields[i].is_foreign
                                       ? wrong(text, at, error, "Strings that system calls are given are no keys")
                                       : 0;
                suggestion_consider(&suggestion, check->fields[i].name);
        }
        if (suggestion_best(&suggestion)) {
                CLEANUP_FREE char *why = NULL;

                if (asprintf(&why, "The event has no field \"%s\"; did you mean \"%s\"?", name,
                             suggestion_best(&suggestion)) < 0) {
                        why = NULL;
                        return -ENOMEM;
                }
                return wrong(text, at, error, why);
        }
        return wrong(text, at, error, "The event has no such field");
}

/* "FIELD[.MODIFIER],..." up to ':', a space or the end. */
static int check_field_list(const char *text, const char **at, const FieldCheck *check, Error *error) {
        static const char *const modifiers[] = {
                "hex",   "sym",     "sym-offset", "syscall",    "execname",   "log2",
                "usecs", "percent", "graph",      "stacktrace", "descending", "ascending",
        };

        for (;;) {
                size_t length = strspn(*at, FIELD_CHARACTERS);
                int r;

                if (length == 0)
                        return wrong(text, *at, error, "The name of a field is missing");
                r = check_field(text, *at, length, check, error);
                if (r < 0)
                        return r;
                *at += length;
                if (**at == '.') {
                        const char *modifier = *at + 1;

                        length = strcspn(modifier, ",: ");
                        if (!is_one_of(modifiers, ELEMENTSOF(modifiers), modifier, length) &&
                            (length <= 8 || strncmp(modifier, "buckets=", 8) != 0 ||
                             strspn(modifier + 8, "0123456789") != length - 8))
                                return wrong(
                                        text, modifier, error,
                                        "There are .hex .sym .sym-offset .syscall .execname .log2 .buckets=N .usecs "
                                        ".percent .graph .stacktrace, and .descending for sort");
                        *at = modifier + length;
                }
                if (**at != ',')
                        return 0;
                (*at)++;
        }
}

static int check_size(const char *text, const char **at, Error *error) {
        unsigned long size;
        char *end;

        errno = 0;
        size = strtoul(*at, &end, 10);
        if (errno != 0 || !isdigit((unsigned char) **at) || size < SIZE_MIN || size > SIZE_MAX_ENTRIES)
                return wrong(text, *at, error, "A size is a number of entries from 128 to 131072");
        *at = end;
        return 0;
}

static int check_parameters(const char *text, const char *at, const FieldCheck *check, Error *error) {
        static const char *const keys[] = { "keys=", "key=" }, *const lists[] = { "vals=", "val=", "values=",
                                                                                  "sort=" };
        bool has_keys = false;

        for (;;) {
                size_t length = strcspn(at, "= :");
                bool is_keys;
                int r;

                if (at[length] != '=')
                        return wrong(text, at, error,
                                     "There are keys=, vals=, sort= and size=, with ':' between them");
                length++;
                is_keys = is_one_of(keys, ELEMENTSOF(keys), at, length);
                if (is_keys || is_one_of(lists, ELEMENTSOF(lists), at, length)) {
                        at += length;
                        r = check_field_list(text, &at, check, error);
                        has_keys |= is_keys;
                } else if (length == 5 && strncmp(at, "size=", length) == 0) {
                        at += length;
                        r = check_size(text, &at, error);
                } else
                        r = wrong(text, at, error, "There are keys=, vals=, sort= and size=, with ':' between them");
                if (r < 0)
                        return r;
                if (*at == '\0' || *at == ' ')
                        return has_keys ? 0 : wrong(text, at, error, "keys= is missing");
                if (*at != ':')
                        return wrong(text, at, error, "',' or ':' or a space is expected here");
                at++;
        }
}

static int parse_histogram(const char *text, const FieldCheck *check, Error *error, Trigger *ret) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };
        CLEANUP_FREE char *command = NULL;
        const char *at = text;
        int r = split(text, error, &trigger, &at);

        if (r >= 0)
                r = check_parameters(text, at, check, error);
        if (r >= 0)
                r = check_event(&trigger, error);
        if (r >= 0 && asprintf(&command, "hist:%s", trigger.command) < 0) {
                command = NULL;
                r = -ENOMEM;
        }
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        if (r < 0)
                return r;
        free(trigger.command);
        trigger.command = STEAL_PTR(command);
        *ret = trigger;
        trigger = (Trigger){ 0 };
        return 0;
}

int histogram_parse(const char *text, Error *error, Trigger *ret) {
        return parse_histogram(text, &(FieldCheck){ 0 }, error, ret);
}

int histogram_check_fields(const char *text, const FilterField *fields, size_t n_fields, Error *error) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };

        return parse_histogram(text, &(FieldCheck){ fields, n_fields }, error, &trigger);
}

int trigger_check(const char *text, Error *error) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };

        return trigger_parse(text, error, &trigger);
}

int histogram_check(const char *text, Error *error) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };

        return histogram_parse(text, error, &trigger);
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

bool histograms_show_functions(char *const *histograms) {
        for (; histograms && *histograms; histograms++)
                if (strstr(*histograms, "stacktrace") || strstr(*histograms, ".sym"))
                        return true;
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
