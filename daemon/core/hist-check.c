/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of histograms against what there is: declared in hist-trigger.h. */

#include <errno.h>
#include <string.h>

#include "core/hist-trigger.h"
#include "core/strv.h"
#include "core/suggestion.h"
#include "core/synthetic-event.h"

static bool is_field_of_all(const char *name) {
        static const char *const always[] = {
                "hitcount",         "common_pid",           "common_cpu",  "cpu",
                "common_timestamp", "common_stacktrace",    "stacktrace",  "common_type",
                "common_flags",     "common_preempt_count", "common_comm",
        };

        for (size_t i = 0; i < ELEMENTSOF(always); i++)
                if (strcmp(always[i], name) == 0)
                        return true;
        return false;
}

static const FilterField *find_field(const FilterField *fields, size_t n_fields, Suggestion *suggestion) {
        for (size_t i = 0; i < n_fields; i++) {
                if (strcmp(fields[i].name, suggestion->wanted) == 0)
                        return &fields[i];
                suggestion_consider(suggestion, fields[i].name);
        }
        return NULL;
}

static int no_such(const HistTrigger *trigger, const HistWord *word, const char *what, const Suggestion *suggestion,
                   Error *error) {
        const char *best = suggestion_best(suggestion), *at = trigger->text + word->at;

        if (best)
                return error_set_at(error, trigger->text, at, "%s \"%s\"; did you mean \"%s\"?", what,
                                    suggestion->wanted, best);
        return error_set_at(error, trigger->text, at, "%s \"%s\"", what, suggestion->wanted);
}

/* `name`: what of the word is the field's. `others` can be empty. */
static int check_word(const HistTrigger *trigger, const HistWord *word, const char *name, const char *what,
                      const FilterField *fields, size_t n_fields, const FilterField *others, size_t n_others,
                      Error *error) {
        const FilterField *field;
        Suggestion suggestion;

        if (is_field_of_all(name))
                return 0;
        suggestion_init(&suggestion, name);
        field = find_field(fields, n_fields, &suggestion);
        if (!field)
                field = find_field(others, n_others, &suggestion);
        if (!field)
                return no_such(trigger, word, what, &suggestion, error);
        if (field->is_foreign)
                return error_set_at(error, trigger->text, trigger->text + word->at,
                                    "Strings that system calls are given are no keys, and nothing to save");
        return 0;
}

int hist_trigger_check_fields(const HistTrigger *trigger, const FilterField *fields, size_t n_fields, Error *error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < trigger->n_words; i++) {
                const HistWord *word = &trigger->words[i];

                if (word->kind == HIST_FIELD)
                        r = check_word(trigger, word, word->name, "The event has no field", fields, n_fields, NULL, 0,
                                       error);
        }
        return r;
}

int hist_trigger_check_parameters(const HistTrigger *trigger, size_t action, const FilterField *fields,
                                  size_t n_fields, const FilterField *others, size_t n_others, Error *error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < trigger->n_words; i++) {
                const HistWord *word = &trigger->words[i];

                if (word->kind == HIST_PARAMETER && word->action == action)
                        r = check_word(trigger, word, word->name, "Neither event has a field", fields, n_fields,
                                       others, n_others, error);
        }
        return r;
}

int hist_trigger_check_qualified(const HistTrigger *trigger, const HistWord *word, const FilterField *fields,
                                 size_t n_fields, Error *error) {
        return check_word(trigger, word, strrchr(word->name, '.') + 1, "That event has no field", fields, n_fields,
                          NULL, 0, error);
}

/* Notes the variables that it defines, and checks those that it uses. */
static int check_variables(const HistTrigger *trigger, char ***defined, Error *error) {
        for (size_t i = 0; i < trigger->n_words; i++)
                if (trigger->words[i].kind == HIST_DEFINED && strv_append(defined, trigger->words[i].name) < 0)
                        return -ENOMEM;
        for (size_t i = 0; i < trigger->n_words; i++) {
                const HistWord *word = &trigger->words[i];
                Suggestion suggestion;

                if (word->kind != HIST_USED || strv_contains(*defined, word->name))
                        continue;
                suggestion_init(&suggestion, word->name);
                for (char **name = *defined; name && *name; name++)
                        suggestion_consider(&suggestion, *name);
                return no_such(trigger, word, "No histogram up to here has a variable", &suggestion, error);
        }
        return 0;
}

static int check_event(const HistTrigger *trigger, const HistAction *action, char *const *definitions, Error *error) {
        const char *at = trigger->text + action->event_at;
        size_t n_fields;

        if (!synthetic_events_have(definitions, action->event, &n_fields))
                return error_set_at(error, trigger->text, at, "The session has no synthetic event \"%s\"",
                                    action->event);
        if (action->n_parameters != n_fields)
                return error_set_at(error, trigger->text, at, "\"%s\" has %zu fields, and gets %zu values",
                                    action->event, n_fields, action->n_parameters);
        return 0;
}

static int check_actions(const HistTrigger *trigger, char *const *definitions, char ***recorded, Error *error) {
        for (size_t i = 0; i < trigger->n_actions; i++) {
                const HistAction *action = &trigger->actions[i];
                int r;

                if (!action->event)
                        continue;
                r = check_event(trigger, action, definitions, error);
                if (r < 0)
                        return r;
                if (strv_append(recorded, action->event) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int check_recorded(char *const *definitions, char *const *recorded, Error *error) {
        for (; definitions && *definitions; definitions++) {
                CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };
                int r = synthetic_event_parse(*definitions, error, &event);

                if (r < 0)
                        return r;
                if (!strv_contains(recorded, event.name))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "synthetic_events: no histogram records \"%s\"; it takes an action such as "
                                         "onmatch(SYSTEM.EVENT).trace(%s,...)",
                                         event.name, event.name);
        }
        return 0;
}

int hist_triggers_check(char *const *histograms, char *const *synthetic_events, Error *error) {
        CLEANUP(strv_freep) char **defined = NULL, **recorded = NULL;

        for (; histograms && *histograms; histograms++) {
                CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };
                int r = hist_trigger_parse(*histograms, error, &trigger);

                if (r >= 0)
                        r = check_variables(&trigger, &defined, error);
                if (r >= 0)
                        r = check_actions(&trigger, synthetic_events, &recorded, error);
                if (r == -ENOMEM)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
                if (r < 0) {
                        error_prefix(error, "histograms");
                        return r;
                }
        }
        return check_recorded(synthetic_events, recorded, error);
}

bool hist_triggers_show_functions(char *const *histograms) {
        for (; histograms && *histograms; histograms++)
                if (strstr(*histograms, "stacktrace") || strstr(*histograms, ".sym"))
                        return true;
        return false;
}
