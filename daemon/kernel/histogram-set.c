/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/histogram-set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/filter.h"
#include "core/hist-trigger.h"
#include "core/text.h"
#include "kernel/catalog.h"
#include "kernel/event-finder.h"
#include "kernel/features.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/synthetic.h"
#include "kernel/trigger-set.h"

static int check_fields(const HistTrigger *trigger, const EventFields *own, Error *error, bool *tells_of_memory) {
        int r;

        if (!own->fields)
                return 0;
        r = hist_trigger_check_fields(trigger, own->fields, own->n_fields, error);
        if (r >= 0 && trigger->filter)
                r = filter_check(trigger->filter, own->fields, own->n_fields, error);
        if (r >= 0 && trigger->filter)
                *tells_of_memory |= filter_tells_of_memory(trigger->filter, own->fields, own->n_fields);
        return r;
}

/* "SYSTEM.EVENT.FIELD" of any event. */
static int check_qualified(const EventFinder *finder, const HistTrigger *trigger, Error *error) {
        for (size_t i = 0; i < trigger->n_words; i++) {
                const HistWord *word = &trigger->words[i];
                CLEANUP(event_fields_clear) EventFields fields = { 0 };
                CLEANUP_FREE char *target = NULL, *system = NULL, *name = NULL;
                int r;

                if (word->kind != HIST_QUALIFIED)
                        continue;
                target = strndup(word->name, (size_t) (strrchr(word->name, '.') - word->name));
                if (!target)
                        return error_set_errno(error, -ENOMEM, "Cannot check the histograms");
                r = event_finder_find_target(finder, target, error, &system, &name);
                if (r >= 0)
                        r = event_fields_read(system, name, error, &fields);
                if (r >= 0 && fields.fields)
                        r = hist_trigger_check_qualified(trigger, word, fields.fields, fields.n_fields, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The event that an action waits for becomes what the kernel calls it. */
static int resolve_match(const EventFinder *finder, HistAction *action, Error *error, EventFields *ret_fields) {
        CLEANUP_FREE char *system = NULL, *name = NULL;
        char *target;
        int r;

        r = event_finder_find_target(finder, action->target, error, &system, &name);
        if (r >= 0)
                r = event_fields_read(system, name, error, ret_fields);
        if (r < 0)
                return r;
        if (asprintf(&target, "%s.%s", system, name) < 0)
                return error_set_errno(error, -ENOMEM, "Cannot set the histograms");
        free(action->target);
        action->target = target;
        return 0;
}

static int resolve_action(const EventFinder *finder, const EventFields *own, HistTrigger *trigger, size_t i,
                          Error *error) {
        HistAction *action = &trigger->actions[i];
        CLEANUP(event_fields_clear) EventFields others = { 0 };
        CLEANUP_FREE char *prefix = NULL;
        char *event;
        int r = 0;

        if (!action->event)
                return 0;
        if (hist_action_is_match(action))
                r = resolve_match(finder, action, error, &others);
        /* What is not defined yet is looked at once it is. */
        if (r >= 0 && own->fields && (others.fields || !hist_action_is_match(action)))
                r = hist_trigger_check_parameters(trigger, i, own->fields, own->n_fields, others.fields,
                                                  others.n_fields, error);
        if (r < 0 || !finder->instance)
                return r;
        if (synthetic_prefix(finder->instance, &prefix) < 0 || asprintf(&event, "%s%s", prefix, action->event) < 0)
                return error_set_errno(error, -ENOMEM, "Cannot set the histograms");
        free(action->event);
        action->event = event;
        return 0;
}

/* Checks it against what there is, and puts the kernel's names of events into its actions. */
static int resolve(const EventFinder *finder, HistTrigger *trigger, Error *error, char **ret_system, char **ret_name,
                   bool *tells_of_memory) {
        CLEANUP_FREE char *system = NULL, *name = NULL;
        CLEANUP(event_fields_clear) EventFields own = { 0 };
        int r;

        r = event_finder_find(finder, trigger->event, error, &system, &name);
        if (r >= 0)
                r = event_fields_read(system, name, error, &own);
        if (r >= 0)
                r = check_fields(trigger, &own, error, tells_of_memory);
        if (r >= 0)
                r = check_qualified(finder, trigger, error);
        for (size_t i = 0; r >= 0 && i < trigger->n_actions; i++)
                r = resolve_action(finder, &own, trigger, i, error);
        if (r < 0)
                return r;
        *ret_system = STEAL_PTR(system);
        *ret_name = STEAL_PTR(name);
        return 0;
}

int histogram_set_check(const Spec *spec, const EventList *list, Error *error, bool *tells_of_memory) {
        const EventFinder finder = { .spec = spec, .list = list };
        int r = spec->histograms ? features_require("histograms", "histograms", error) : 0;

        for (char **text = spec->histograms; r >= 0 && text && *text; text++) {
                CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };
                CLEANUP_FREE char *system = NULL, *name = NULL;

                r = hist_trigger_parse(*text, error, &trigger);
                if (r >= 0)
                        r = resolve(&finder, &trigger, error, &system, &name, tells_of_memory);
                if (r < 0)
                        error_prefix(error, "histograms");
        }
        return r;
}

static int apply_one(Instance *instance, const EventFinder *finder, const char *text, Error *error) {
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };
        CLEANUP_FREE char *system = NULL, *name = NULL, *command = NULL;
        int r;

        r = hist_trigger_parse(text, error, &trigger);
        if (r >= 0)
                /* As with triggers, see trigger-set.c. */
                r = resolve(finder, &trigger, error, &system, &name, &(bool){ false });
        if (r < 0)
                return r;
        r = hist_trigger_format(&trigger, &command);
        if (r < 0)
                return error_set_errno(error, r, "Cannot set the histograms");
        return trigger_set_write(instance, system, name, command, error);
}

int histogram_set_apply(Instance *instance, const Spec *spec, const char *group, Error *error) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        EventFinder finder = { .spec = spec, .instance = instance, .group = group, .list = &list };
        int r;

        if (!spec->histograms)
                return 0;
        r = trigger_set_check_instance(instance, "histograms", error);
        if (r >= 0)
                r = catalog_read(error, &list);
        for (char **text = spec->histograms; r >= 0 && *text; text++) {
                r = apply_one(instance, &finder, *text, error);
                if (r < 0)
                        error_prefix(error, "histograms");
        }
        return r;
}

static int read_text(const Instance *instance, const EventFinder *finder, const char *event, Error *error,
                     char **ret) {
        CLEANUP_FREE char *system = NULL, *name = NULL, *path = NULL;
        int r;

        r = event_finder_find(finder, event, error, &system, &name);
        if (r < 0)
                return r;
        if (asprintf(&path, "events/%s/%s/hist", system, name) < 0) {
                path = NULL;
                (void) error_set_errno(error, -ENOMEM, "Cannot read the histogram");
                return -ENOMEM;
        }
        r = kernel_text_read_tracefs(instance->tracefs, path, ret, NULL);
        if (r == -ENOENT) {
                if (features_require("histograms", "histograms", error) >= 0)
                        (void) error_set(error, ERROR_NO_SUCH_EVENT, "The kernel no longer has the event %s:%s",
                                         system, name);
                return -ENOENT;
        }
        if (r < 0)
                (void) error_set_errno(error, r, "Cannot read the histogram");
        return r;
}

int histogram_set_read(Instance *instance, const Spec *spec, const char *group, const char *event, Error *error,
                       char **ret) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        const EventFinder finder = { .spec = spec, .instance = instance, .group = group, .list = &list };
        CLEANUP_FREE char *text = NULL;
        int r;

        r = event_pattern_check(event, error);
        if (r >= 0)
                r = catalog_read(error, &list);
        if (r >= 0)
                r = read_text(instance, &finder, event, error, &text);
        if (r < 0)
                return r;
        r = event_finder_show_names(instance, text);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the histogram");
        if (!strstr(text, "# trigger info:"))
                return error_set(error, ERROR_NO_SUCH_EVENT, "The session has no histogram of \"%s\"",
                                 TEXT_ESCAPE(event));
        *ret = STEAL_PTR(text);
        return 0;
}
