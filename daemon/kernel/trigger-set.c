/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/trigger-set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/filter.h"
#include "core/strv.h"
#include "core/text.h"
#include "core/trigger.h"
#include "kernel/catalog.h"
#include "kernel/error-log.h"
#include "kernel/event-finder.h"
#include "kernel/features.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/tracing-dir.h"

static int check_other(const Trigger *trigger, const EventList *list, Error *error) {
        CLEANUP(strv_freep) char **names = NULL;
        int r;

        if (!trigger->other)
                return 0;
        r = event_pattern_match(trigger->other, list, &names);
        if (r < 0)
                return error_set_errno(error, r, "Cannot find the event");
        return strv_length(names) == 1
                       ? 0
                       : error_set(error, ERROR_NO_SUCH_EVENT, "No event is called \"%s\"", trigger->other);
}

static int check_filter(const EventFinder *finder, const Trigger *trigger, Error *error, char **ret_system,
                        char **ret_name, bool *tells_of_memory) {
        CLEANUP_FREE char *system = NULL, *name = NULL;
        CLEANUP(event_fields_clear) EventFields own = { 0 };
        int r;

        r = event_finder_find(finder, trigger->event, error, &system, &name);
        if (r >= 0 && trigger->filter)
                r = event_fields_read(system, name, error, &own);
        /* The fields of the session's own events are known once they are defined. */
        if (r >= 0 && own.fields)
                r = filter_check(trigger->filter, own.fields, own.n_fields, error);
        if (r < 0)
                return r;
        if (own.fields)
                *tells_of_memory |= filter_tells_of_memory(trigger->filter, own.fields, own.n_fields);
        *ret_system = STEAL_PTR(system);
        *ret_name = STEAL_PTR(name);
        return 0;
}

static int check_one(const EventFinder *finder, const char *text, Error *error, bool *tells_of_memory) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };
        CLEANUP_FREE char *system = NULL, *name = NULL;
        int r;

        r = trigger_parse(text, error, &trigger);
        /* Before, the kernel would do it at the top level. */
        if (r >= 0 && !trigger.other)
                r = features_require("instance_traceoff", "stacktrace, traceon and traceoff", error);
        if (r >= 0)
                r = check_filter(finder, &trigger, error, &system, &name, tells_of_memory);
        if (r >= 0)
                r = check_other(&trigger, finder->list, error);
        if (r < 0)
                error_prefix(error, "triggers");
        return r;
}

int trigger_set_check(const Spec *spec, const EventList *list, Error *error, bool *tells_of_memory) {
        const EventFinder finder = { .spec = spec, .list = list };
        int r = spec->triggers ? features_require("triggers", "triggers", error) : 0;

        for (char **text = spec->triggers; r >= 0 && text && *text; text++)
                r = check_one(&finder, *text, error, tells_of_memory);
        return r;
}

#define HISTOGRAM "hist:"
#define CLOCK "clock="
#define STALE_ROUNDS 4U

static bool begins(const char *text, const char *with) {
        return strncmp(text, with, strlen(with)) == 0;
}

static int write_trigger(const Instance *instance, const char *system, const char *name, const char *command) {
        /* Opened to be truncated, the file would lose those that are there. */
        errno = 0;
        return tracefs_event_file_append(instance->tracefs, system, name, "trigger", command) < 0
                       ? -(errno ? errno : EIO)
                       : 0;
}

/* `trigger`: system, event and command. */
static int unset(const Instance *instance, char *const *trigger) {
        CLEANUP_FREE char *command = NULL;

        if (asprintf(&command, "!%s", trigger[2]) < 0) {
                command = NULL;
                return -ENOMEM;
        }
        return write_trigger(instance, trigger[0], trigger[1], command);
}

/* The newest first: a histogram can use the variables of an older one. */
int trigger_set_suspend(const Instance *instance) {
        int r = 0;

        for (size_t i = strv_length(instance->triggers); i >= 3; i -= 3) {
                int removed = unset(instance, instance->triggers + i - 3);

                r = removed < 0 ? removed : r;
        }
        return r;
}

void trigger_set_remove(Instance *instance) {
        /* What cannot be removed goes with the instance. */
        (void) trigger_set_suspend(instance);
        strv_free(instance->triggers);
        instance->triggers = NULL;
}

int trigger_set_renew(const Instance *instance) {
        int r = trigger_set_suspend(instance);

        for (char **trigger = instance->triggers; r >= 0 && trigger && *trigger; trigger += 3)
                r = write_trigger(instance, trigger[0], trigger[1], trigger[2]);
        return r;
}

/* The lines of a trigger file, but for its help. Returns how many of them could not be removed. */
static unsigned remove_lines(struct tracefs_instance *tracefs, const EventName *event) {
        static const char state[] = " [";
        CLEANUP_FREE char *path = NULL, *text = NULL;
        unsigned n_left = 0;
        char *rest, *line;

        if (asprintf(&path, "events/%s/%s/trigger", event->system, event->name) < 0) {
                path = NULL;
                return 0;
        }
        if (kernel_text_read_tracefs(tracefs, path, &text, NULL) < 0)
                return 0;
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                CLEANUP_FREE char *command = NULL;
                char *end = NULL;

                if (*line == '#')
                        continue;
                /* "[active]" or "[paused]" behind a histogram. */
                for (char *at = line; (at = strstr(at, state)); at++)
                        end = at;
                if (end)
                        *end = '\0';
                if (asprintf(&command, "!%s", line) < 0) {
                        command = NULL;
                        return n_left;
                }
                if (tracefs_event_file_append(tracefs, event->system, event->name, "trigger", command) < 0)
                        n_left++;
        }
        return n_left;
}

void trigger_set_remove_stale(struct tracefs_instance *tracefs) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        CLEANUP_FREE char *text = NULL;
        unsigned n_left = 1;

        /* Not catalog_read(), which has no probes of sessions. */
        if (tracing_dir_read_text("available_events", &text) < 0 || event_list_parse(text, &list) < 0)
                return;
        /* One that uses the variables of another goes first, and which that is, only the kernel knows. */
        for (unsigned round = 0; n_left > 0 && round < STALE_ROUNDS; round++) {
                n_left = 0;
                for (size_t i = 0; i < list.n_events; i++)
                        n_left += remove_lines(tracefs, &list.events[i]);
        }
}

void trigger_set_remove_traceon(Instance *instance) {
        for (char **trigger = instance->triggers; trigger && *trigger; trigger += 3)
                if (begins(trigger[2], "traceon"))
                        (void) unset(instance, trigger);
}

static int set_again(Instance *instance, bool histograms, Error *error) {
        for (char **trigger = instance->triggers; trigger && *trigger; trigger += 3) {
                int r;

                if (begins(trigger[2], HISTOGRAM) != histograms)
                        continue;
                r = write_trigger(instance, trigger[0], trigger[1], trigger[2]);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot set the trigger \"%s\" of %s:%s again",
                                               TEXT_ESCAPE(trigger[2]), trigger[0], trigger[1]);
        }
        return 0;
}

/* Histograms first, since they may empty the buffer: what another trigger records or switches is after that. */
int trigger_set_resume(Instance *instance, Error *error) {
        int r = set_again(instance, true, error);

        return r < 0 ? r : set_again(instance, false, error);
}

bool instance_begins_empty(const Instance *instance) {
        for (char **trigger = instance->triggers; trigger && *trigger; trigger += 3)
                if (begins(trigger[2], HISTOGRAM CLOCK))
                        return true;
        return false;
}

static int refuse(Instance *instance, const char *text, int r, Error *error) {
        CLEANUP_FREE char *log = tracefs_error_all(instance->tracefs), *reason = NULL, *shown = strdup(text),
                          *clock = NULL;

        if (!shown || event_finder_show_names(instance, shown) < 0 ||
            asprintf(&clock, CLOCK "%s:", instance->clock) < 0) {
                clock = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot set the triggers");
        }
        /* A new instance's log has this entry only. */
        if (log && error_log_parse_last(log, &reason) >= 0 && event_finder_show_names(instance, reason) >= 0) {
                text_drop(reason, clock);
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused \"%s\": %s", TEXT_ESCAPE(shown),
                                 reason);
        }
        return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused \"%s\": %s", TEXT_ESCAPE(shown),
                         strerror(-r));
}

/* Without a clock of its own, a histogram with time stamps makes the kernel set that of the instance to "global"
 * (hist_trigger_create() and parse_hist_trigger_attrs(), trace_events_hist.c, 5.15 to 6.12). */
static int complete(const Instance *instance, const char *command, char **ret) {
        bool has_time = begins(command, HISTOGRAM) && strstr(command, "common_timestamp");
        char *complete;
        int n;

        n = has_time ? asprintf(&complete, HISTOGRAM CLOCK "%s:%s", instance->clock, command + strlen(HISTOGRAM))
                     : asprintf(&complete, "%s", command);
        if (n < 0)
                return -ENOMEM;
        *ret = complete;
        return 0;
}

int trigger_set_write(Instance *instance, const char *system, const char *name, const char *command, Error *error) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = complete(instance, command, &text);
        if (r < 0)
                return error_set_errno(error, r, "Cannot set the triggers");
        r = write_trigger(instance, system, name, text);
        if (r < 0)
                return refuse(instance, command, r, error);
        r = strv_append(&instance->triggers, system);
        if (r >= 0)
                r = strv_append(&instance->triggers, name);
        if (r >= 0)
                r = strv_append(&instance->triggers, text);
        return r < 0 ? error_set_errno(error, r, "Cannot set the triggers") : 0;
}

static int apply_one(Instance *instance, const EventFinder *finder, const char *text, Error *error) {
        CLEANUP(trigger_clear) Trigger trigger = { 0 };
        CLEANUP_FREE char *system = NULL, *name = NULL, *command = NULL;
        int r;

        r = trigger_parse(text, error, &trigger);
        if (r >= 0)
                /* It was asked about before, but for events of the session's own: whoever defines those may read it.
                 */
                r = check_filter(finder, &trigger, error, &system, &name, &(bool){ false });
        if (r < 0)
                return r;
        if (asprintf(&command, "%s%s%s", trigger.command, trigger.filter ? " if " : "",
                     trigger.filter ? trigger.filter : "") < 0) {
                command = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot set the triggers");
        }
        return trigger_set_write(instance, system, name, command, error);
}

int trigger_set_check_instance(const Instance *instance, const char *key, Error *error) {
        /* After a crash nobody would take them out there. */
        return instance->tracefs ? 0
                                 : error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                             "%s: not with a tracer that needs the kernel's top-level buffer", key);
}

int trigger_set_apply(Instance *instance, const Spec *spec, const char *group, Error *error) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        const EventFinder finder = { .spec = spec, .instance = instance, .group = group, .list = &list };
        int r;

        if (!spec->triggers)
                return 0;
        r = trigger_set_check_instance(instance, "triggers", error);
        if (r >= 0)
                r = catalog_read(error, &list);
        for (char **text = spec->triggers; r >= 0 && *text; text++)
                r = apply_one(instance, &finder, *text, error);
        return r;
}
