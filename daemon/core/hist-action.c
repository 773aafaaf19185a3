/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The actions of a histogram. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hist-parser.h"
#include "core/strv.h"

#define EVENT_CHARACTERS HIST_NAME_CHARACTERS "-"
#define SAVE "save"
#define TRACE "trace"
#define SNAPSHOT "snapshot"

static const char *const handlers[] = { "onmatch", "onmax", "onchange" };

bool hist_action_is_match(const HistAction *action) {
        return strcmp(action->handler, handlers[0]) == 0;
}

void hist_action_clear(HistAction *action) {
        free(action->handler);
        free(action->target);
        free(action->event);
        free(action->parameters);
        *action = (HistAction){ 0 };
}

static const char *find_handler(const char *at) {
        size_t length = hist_name_length(at);

        for (size_t i = 0; i < ELEMENTSOF(handlers); i++)
                if (hist_word_is(at, length, handlers[i]) && at[length] == '(')
                        return handlers[i];
        return NULL;
}

bool hist_action_begins(const char *at) {
        return find_handler(at) != NULL;
}

static size_t offset_of(const HistParser *parser) {
        return (size_t) (parser->at - parser->trigger->text);
}

/* "SYSTEM.EVENT" or "EVENT" */
static int take_event(HistParser *parser, HistAction *action) {
        size_t length = strspn(parser->at, EVENT_CHARACTERS);

        if (length > 0 && parser->at[length] == '.') {
                size_t event = strspn(parser->at + length + 1, EVENT_CHARACTERS);

                if (event == 0)
                        return hist_parser_wrong(parser, parser->at + length + 1, "The name of the event is missing");
                length += 1 + event;
        }
        if (length == 0)
                return hist_parser_wrong(parser, parser->at, "The event to wait for is named as SYSTEM.EVENT");
        action->target = strndup(parser->at, length);
        parser->at += length;
        return action->target ? 0 : -ENOMEM;
}

/* "$VARIABLE" */
static int take_variable(HistParser *parser, HistAction *action) {
        size_t length;
        int r;

        if (*parser->at != '$')
                return hist_parser_wrong(parser, parser->at, "The variable to look at is named as $NAME");
        length = hist_name_length(parser->at + 1);
        if (length == 0)
                return hist_parser_wrong(parser, parser->at + 1, "The name of the variable is missing");
        r = hist_parser_note(parser, HIST_USED, parser->at + 1, length);
        if (r < 0)
                return r;
        action->target = strndup(parser->at, length + 1);
        parser->at += length + 1;
        return action->target ? 0 : -ENOMEM;
}

/* "$VARIABLE", "FIELD" or "SYSTEM.EVENT." and one of them. Sets *ret_end to what is behind. */
static int scan_parameter(const HistParser *parser, bool is_save, const char **ret_end) {
        const char *at = parser->at, *name = at;
        unsigned n_dots = 0;
        size_t length;

        for (; !is_save; name += length + 1, n_dots++) {
                length = strspn(name, EVENT_CHARACTERS);
                if (length == 0 || name[length] != '.')
                        break;
        }
        if (n_dots != 0 && n_dots != 2)
                return hist_parser_wrong(parser, at, "Something of another event is named as SYSTEM.EVENT.FIELD");
        if (*name == '$' && !is_save)
                name++;
        length = hist_name_length(name);
        if (length == 0)
                return hist_parser_wrong(parser, name,
                                         is_save ? "The name of a field is missing"
                                                 : "A field or a $VARIABLE is missing");
        *ret_end = name + length;
        if (n_dots == 2)
                return name[-1] == '$' ? 0 : hist_parser_note(parser, HIST_QUALIFIED, at, (size_t) (*ret_end - at));
        if (*at == '$')
                return hist_parser_note(parser, HIST_USED, at + 1, length);
        return hist_parser_note(parser, is_save ? HIST_FIELD : HIST_PARAMETER, at, length);
}

/* What is between the parentheses, the first of which was taken. */
static int take_parameters(HistParser *parser, bool is_save, HistAction *action) {
        CLEANUP(strv_freep) char **parameters = NULL;

        parser->at += strspn(parser->at, " ");
        while (*parser->at != ')') {
                CLEANUP_FREE char *parameter = NULL;
                const char *end = parser->at;
                int r = scan_parameter(parser, is_save, &end);

                if (r < 0)
                        return r;
                parameter = strndup(parser->at, (size_t) (end - parser->at));
                if (!parameter || strv_append(&parameters, parameter) < 0)
                        return -ENOMEM;
                parser->at = end + strspn(end, " ");
                if (*parser->at != ',' && *parser->at != ')')
                        return hist_parser_wrong(parser, parser->at, "',' or ')' is expected here");
                if (*parser->at == ',') {
                        parser->at += 1 + strspn(parser->at + 1, " ");
                        if (*parser->at == ')')
                                return hist_parser_wrong(parser, parser->at, "Something is missing behind ','");
                }
        }
        action->n_parameters = strv_length(parameters);
        if (action->n_parameters == 0)
                return hist_parser_wrong(parser, parser->at,
                                         is_save ? "The fields to save are missing"
                                                 : "The values of the event's fields are missing");
        parser->at++;
        return strv_join(parameters, ",", &action->parameters);
}

static bool has_save(const HistTrigger *trigger) {
        for (size_t i = 0; i < trigger->n_actions; i++)
                if (!trigger->actions[i].event)
                        return true;
        return false;
}

static int check_save(const HistParser *parser, const char *at, const HistAction *action) {
        if (hist_action_is_match(action))
                return hist_parser_wrong(parser, at, "onmatch has trace(); save() is for onmax and onchange");
        /* HIST_ERR_TOO_MANY_SAVE_ACTIONS */
        return has_save(parser->trigger) ? hist_parser_wrong(parser, at, "A histogram has only one save()") : 0;
}

static int take_event_name(HistParser *parser, HistAction *action) {
        size_t length = hist_name_length(parser->at);

        if (length == 0)
                return hist_parser_wrong(parser, parser->at, "The name of a synthetic event is missing");
        action->event_at = offset_of(parser);
        action->event = strndup(parser->at, length);
        parser->at += length;
        return action->event ? 0 : -ENOMEM;
}

/* "trace(NAME,", "NAME(" or "save(" */
static int take_operation(HistParser *parser, HistAction *action, bool *ret_is_save) {
        const char *at = parser->at;
        size_t length = hist_name_length(at);
        int r;

        if (length == 0 || at[length] != '(')
                return hist_parser_wrong(parser, at, "trace(NAME,...) or save(FIELD,...) is expected here");
        if (hist_word_is(at, length, SNAPSHOT))
                return hist_parser_wrong(parser, at,
                                         "The kernel's snapshot buffer is not used, since it would take what was "
                                         "recorded out of the session's; a session with mode \"ring\" has snapshots");
        *ret_is_save = hist_word_is(at, length, SAVE);
        if (*ret_is_save) {
                parser->at += length + 1;
                return check_save(parser, at, action);
        }
        if (hist_word_is(at, length, TRACE)) {
                parser->at += length + 1;
                parser->at += strspn(parser->at, " ");
                r = take_event_name(parser, action);
                if (r >= 0 && *parser->at != ',' && *parser->at != ')')
                        r = hist_parser_wrong(parser, parser->at, "',' and the values of the event's fields follow");
                if (r >= 0 && *parser->at == ',')
                        parser->at++;
                return r;
        }
        r = take_event_name(parser, action);
        parser->at += r >= 0;
        return r;
}

static int take_action(HistParser *parser, HistAction *action) {
        bool is_save = false;
        int r;

        action->handler = strdup(find_handler(parser->at));
        if (!action->handler)
                return -ENOMEM;
        parser->at += strlen(action->handler) + 1;
        action->target_at = offset_of(parser);
        r = hist_action_is_match(action) ? take_event(parser, action) : take_variable(parser, action);
        if (r < 0)
                return r;
        if (strncmp(parser->at, ").", 2) != 0)
                return hist_parser_wrong(parser, parser->at,
                                         "\").\" and an action, trace or save, are expected here");
        parser->at += 2;
        r = take_operation(parser, action, &is_save);
        return r < 0 ? r : take_parameters(parser, is_save, action);
}

int hist_action_take(HistParser *parser) {
        HistTrigger *trigger = parser->trigger;
        HistAction action = { 0 }, *actions;
        int r;

        if (trigger->n_actions == HIST_ACTIONS_MAX)
                return hist_parser_wrong(parser, parser->at, "A histogram has at most 8 actions");
        r = take_action(parser, &action);
        actions = r < 0 ? NULL : reallocarray(trigger->actions, trigger->n_actions + 1, sizeof(*actions));
        if (!actions) {
                hist_action_clear(&action);
                return r < 0 ? r : -ENOMEM;
        }
        trigger->actions = actions;
        actions[trigger->n_actions++] = action;
        return 0;
}
