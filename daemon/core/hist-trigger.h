/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HistTrigger: a histogram that the kernel keeps of an event, and what it does with its values (Documentation/trace/
 * histogram.rst):
 *
 *   EVENT keys=LIST[:vals=LIST][:sort=FIELD[.descending],...][:size=N][:VARIABLE=EXPRESSION[,...]][:ACTION] [if
 * FILTER]
 *
 *   LIST        EXPRESSION[,EXPRESSION...]
 *   EXPRESSION  OPERAND, operands with + - * / between them, or -(EXPRESSION)
 *   OPERAND     FIELD[.MODIFIER], $VARIABLE, SYSTEM.EVENT.$VARIABLE, NUMBER (5.16 and later, as * and / are)
 *   ACTION      onmatch(OTHER).trace(NAME,PARAMETER,...)  the synthetic event NAME, when OTHER was there with this
 * key onmatch(OTHER).NAME(PARAMETER,...)        the same onmax($VARIABLE).save(FIELD,...)          the fields of the
 * event with the greatest value so far onchange($VARIABLE).save(FIELD,...)       of that with the last other value
 *               onmax(...).trace(...), onchange(...).trace(...)
 *   OTHER       SYSTEM.EVENT; or, by the bare name, a probe, query or synthetic event of the session
 *   PARAMETER   $VARIABLE; a field of the event, or of OTHER; SYSTEM.EVENT.FIELD; SYSTEM.EVENT.$VARIABLE
 *
 * EVENT is a pattern that means one event. Whether events and fields exist is seen against the running kernel.
 *
 * Life cycle: hist_trigger_parse(), hist_trigger_clear().
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/filter.h"

#define HIST_ACTIONS_MAX 8U    /* of the same name in kernel/trace/trace_events_hist.c, 5.15 */
#define HIST_VARIABLES_MAX 16U /* TRACING_MAP_VARS_MAX, tracing_map.h */

typedef enum HistWordKind {
        HIST_FIELD,     /* of the event */
        HIST_PARAMETER, /* of trace(): a field of the event or, with onmatch, of the other one */
        HIST_QUALIFIED, /* of trace(): "SYSTEM.EVENT.FIELD" */
        HIST_DEFINED,   /* a variable, without its '$' */
        HIST_USED,
} HistWordKind;

/* A name in the text, for checks against what there is. */
typedef struct HistWord {
        HistWordKind kind;
        char *name;
        size_t at;     /* where it begins */
        size_t action; /* HIST_PARAMETER: of which action */
} HistWord;

typedef struct HistAction {
        char *handler; /* "onmatch", "onmax", "onchange" */
        char *target;  /* "SYSTEM.EVENT", or without '.' an event of the session's own; else "$VARIABLE" */
        size_t target_at;
        char *event; /* of trace(): a synthetic event; NULL with save() */
        size_t event_at;
        char *parameters; /* ',' between them */
        size_t n_parameters;
} HistAction;

typedef struct HistTrigger {
        char *text;
        char *event;      /* pattern */
        char *attributes; /* "keys=...:vals=..." as the kernel takes them */
        char *filter;     /* NULL: none */
        HistAction *actions;
        size_t n_actions;
        HistWord *words;
        size_t n_words;
} HistTrigger;

/* ERROR_INVALID_ARGUMENT: a sentence, then the text and, on a line of its own, '^' below the position. */
int hist_trigger_parse(const char *text, Error *error, HistTrigger *ret);
void hist_trigger_clear(HistTrigger *trigger);
/* The same without a result, for the table of the spec's keys. */
int hist_trigger_check(const char *text, Error *error);

bool hist_action_is_match(const HistAction *action);

/* The command for the event's trigger file, with the condition. The events in the actions are written as they are
 * in the struct. The caller frees. -ENOMEM. */
int hist_trigger_format(const HistTrigger *trigger, char **ret);

/* Whether the fields that it names are among those of its event; suggests near ones. Strings that system calls are
 * given are refused, since the kernel would take such a pointer for one of its own (add_to_key(),
 * update_field_vars(), trace_events_hist.c): what is there shows, and nothing may be there. */
int hist_trigger_check_fields(const HistTrigger *trigger, const FilterField *fields, size_t n_fields, Error *error);
/* The same for the parameters of one action; `others`: the fields of the event that it waits for. */
int hist_trigger_check_parameters(const HistTrigger *trigger, size_t action, const FilterField *fields,
                                  size_t n_fields, const FilterField *others, size_t n_others, Error *error);

/* The same for one word, HIST_QUALIFIED, and the fields of the event that it names. */
int hist_trigger_check_qualified(const HistTrigger *trigger, const HistWord *word, const FilterField *fields,
                                 size_t n_fields, Error *error);

/* All of a session: each variable is defined before it is used, each event that is recorded is among the definitions
 * of synthetic events and gets a value for each field, and none of those is left over. */
int hist_triggers_check(char *const *histograms, char *const *synthetic_events, Error *error);

/* Does one of them show functions of the kernel? */
bool hist_triggers_show_functions(char *const *histograms);
