/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/hist-trigger.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/hist-parser.h"
#include "core/spec.h"
#include "core/strv.h"

/* Entries of the map, tracing_map.h: TRACING_MAP_BITS_MIN and _MAX. */
#define SIZE_MIN 128U
#define SIZE_MAX_ENTRIES 131072U
/* The kernel takes three subexpressions (parse_expr(), trace_events_hist.c, 5.15). */
#define NESTING_MAX 3U
#define SYNTAX \
        "There are keys=, vals=, sort=, size=, VARIABLE=, onmatch(), onmax() and onchange(), with ':' between them"

void hist_trigger_clear(HistTrigger *trigger) {
        free(trigger->text);
        free(trigger->event);
        free(trigger->attributes);
        free(trigger->filter);
        for (size_t i = 0; i < trigger->n_actions; i++)
                hist_action_clear(&trigger->actions[i]);
        free(trigger->actions);
        for (size_t i = 0; i < trigger->n_words; i++)
                free(trigger->words[i].name);
        free(trigger->words);
        *trigger = (HistTrigger){ 0 };
}

int hist_parser_wrong(const HistParser *parser, const char *at, const char *why) {
        return error_set_at(parser->error, parser->trigger->text, at, "%s", why);
}

int hist_parser_note(const HistParser *parser, HistWordKind kind, const char *at, size_t length) {
        HistTrigger *trigger = parser->trigger;
        HistWord *words = reallocarray(trigger->words, trigger->n_words + 1, sizeof(*words));

        if (!words)
                return -ENOMEM;
        trigger->words = words;
        words[trigger->n_words] = (HistWord){
                .kind = kind,
                .name = strndup(at, length),
                .at = (size_t) (at - trigger->text),
                .action = trigger->n_actions,
        };
        return words[trigger->n_words].name ? (trigger->n_words++, 0) : -ENOMEM;
}

size_t hist_name_length(const char *at) {
        return isdigit((unsigned char) *at) ? 0 : strspn(at, HIST_NAME_CHARACTERS);
}

bool hist_word_is(const char *at, size_t length, const char *word) {
        return strlen(word) == length && strncmp(at, word, length) == 0;
}

/* Expressions */

/* Behind the '.' of a field. */
static int take_modifier(HistParser *parser) {
        static const char *const modifiers[] = {
                "hex",   "sym-offset", "sym",   "syscall",    "execname",   "log2",
                "usecs", "percent",    "graph", "stacktrace", "descending", "ascending",
        };
        static const char buckets[] = "buckets=";
        const char *at = parser->at;
        size_t length = hist_name_length(at), digits;

        for (size_t i = 0; i < ELEMENTSOF(modifiers); i++) {
                size_t n = strlen(modifiers[i]);

                if (strncmp(at, modifiers[i], n) == 0 && (n == length || strchr(modifiers[i], '-'))) {
                        parser->at += n;
                        return 0;
                }
        }
        digits = strncmp(at, buckets, strlen(buckets)) == 0 ? strspn(at + strlen(buckets), "0123456789") : 0;
        if (digits == 0)
                return hist_parser_wrong(parser, at,
                                         "There are .hex .sym .sym-offset .syscall .execname .log2 .buckets=N .usecs "
                                         ".percent .graph .stacktrace, and .descending for sort");
        parser->at += strlen(buckets) + digits;
        return 0;
}

/* Is it "SYSTEM.EVENT.$"? Sets *ret to what is behind the second dot. */
static bool is_qualified(const char *at, const char **ret) {
        for (unsigned i = 0; i < 2; i++) {
                size_t length = strspn(at, HIST_NAME_CHARACTERS "-");

                if (length == 0 || at[length] != '.')
                        return false;
                at += length + 1;
        }
        *ret = at;
        return *at == '$';
}

static int take_variable(HistParser *parser, bool is_own) {
        const char *name = parser->at + 1;
        size_t length = hist_name_length(name);

        if (length == 0)
                return hist_parser_wrong(parser, name, "The name of the variable is missing");
        parser->at = name + length;
        return is_own ? hist_parser_note(parser, HIST_USED, name, length) : 0;
}

/* "FIELD[.MODIFIER]" */
static int take_field(HistParser *parser) {
        const char *at = parser->at;
        size_t length = hist_name_length(at);
        int r;

        if (length == 0)
                return hist_parser_wrong(parser, at, "The name of a field is missing");
        r = hist_parser_note(parser, HIST_FIELD, at, length);
        if (r < 0)
                return r;
        parser->at += length;
        if (*parser->at != '.')
                return 0;
        parser->at++;
        return take_modifier(parser);
}

static int take_operand(HistParser *parser) {
        const char *variable;

        if (isdigit((unsigned char) *parser->at)) {
                bool is_hex = strncmp(parser->at, "0x", 2) == 0;

                parser->at += is_hex ? 2 + strspn(parser->at + 2, "0123456789abcdefABCDEF")
                                     : strspn(parser->at, "0123456789");
                return 0;
        }
        if (*parser->at == '$')
                return take_variable(parser, true);
        if (is_qualified(parser->at, &variable)) {
                parser->at = variable;
                return take_variable(parser, false);
        }
        return take_field(parser);
}

/* Operands with operators between them, or "-(" such an expression ")", which is all that the kernel takes of signs
 * (parse_unary(), trace_events_hist.c). */
static int take_expression(HistParser *parser) {
        const char *open[NESTING_MAX];
        unsigned level = 0;

        for (; strncmp(parser->at, "-(", 2) == 0; parser->at += 2) {
                if (level == NESTING_MAX)
                        return hist_parser_wrong(parser, parser->at + 1, "At most three '(' are within one another");
                open[level++] = parser->at + 1;
        }
        for (;;) {
                int r = take_operand(parser);

                if (r < 0)
                        return r;
                if (*parser->at == '\0' || !strchr("+-*/", *parser->at))
                        break;
                parser->at++;
        }
        for (; level > 0 && *parser->at == ')'; level--)
                parser->at++;
        return level > 0 ? hist_parser_wrong(parser, open[level - 1], "')' is missing for this '('") : 0;
}

/* Attributes */

static int take_list(HistParser *parser, int (*take)(HistParser *)) {
        for (;;) {
                int r = take(parser);

                if (r < 0 || *parser->at != ',')
                        return r;
                parser->at++;
        }
}

static int take_size(HistParser *parser) {
        unsigned long size;
        char *end;

        errno = 0;
        size = strtoul(parser->at, &end, 10);
        if (errno != 0 || !isdigit((unsigned char) *parser->at) || size < SIZE_MIN || size > SIZE_MAX_ENTRIES)
                return hist_parser_wrong(parser, parser->at, "A size is a number of entries from 128 to 131072");
        parser->at = end;
        return 0;
}

static size_t count_variables(const HistTrigger *trigger) {
        size_t n = 0;

        for (size_t i = 0; i < trigger->n_words; i++)
                n += trigger->words[i].kind == HIST_DEFINED;
        return n;
}

/* "VARIABLE=EXPRESSION" */
static int take_assignment(HistParser *parser) {
        const char *at = parser->at;
        size_t length = hist_name_length(at);
        int r;

        if (length == 0 || at[length] != '=')
                return hist_parser_wrong(parser, at, "A variable and '=' are expected here");
        for (size_t i = 0; i < parser->trigger->n_words; i++) {
                const HistWord *word = &parser->trigger->words[i];

                if (word->kind == HIST_DEFINED && hist_word_is(at, length, word->name))
                        return hist_parser_wrong(parser, at, "The variable is there already");
        }
        if (count_variables(parser->trigger) == HIST_VARIABLES_MAX)
                return hist_parser_wrong(parser, at, "A histogram has at most 16 variables");
        r = hist_parser_note(parser, HIST_DEFINED, at, length);
        parser->at += length + 1;
        return r < 0 ? r : take_expression(parser);
}

typedef struct Attribute {
        const char *name; /* with the '=' */
        int (*take)(HistParser *parser);
        bool is_list, is_keys;
        const char *why; /* it is refused */
} Attribute;

static const Attribute attributes[] = {
        { .name = "keys=", .take = take_expression, .is_list = true, .is_keys = true },
        { .name = "key=", .take = take_expression, .is_list = true, .is_keys = true },
        { .name = "vals=", .take = take_expression, .is_list = true },
        { .name = "val=", .take = take_expression, .is_list = true },
        { .name = "values=", .take = take_expression, .is_list = true },
        { .name = "sort=", .take = take_field, .is_list = true },
        { .name = "size=", .take = take_size },
        { .name = "clock=", .why = "The clock is that of the session, see its key clock" },
        /* named_triggers is one list for all instances (trace_events_trigger.c, 5.15 to 6.12). */
        { .name = "name=", .why = "Histograms of one name would be shared with other sessions" },
};

static int take_attribute(HistParser *parser, bool *has_keys) {
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
                const Attribute *attribute = &attributes[i];
                size_t length = strlen(attribute->name);

                if (strncmp(parser->at, attribute->name, length) != 0)
                        continue;
                if (attribute->why)
                        return hist_parser_wrong(parser, parser->at, attribute->why);
                parser->at += length;
                *has_keys |= attribute->is_keys;
                return attribute->is_list ? take_list(parser, attribute->take) : attribute->take(parser);
        }
        if (parser->at[hist_name_length(parser->at)] != '=' || *parser->at == '=')
                return hist_parser_wrong(parser, parser->at, SYNTAX);
        return take_list(parser, take_assignment);
}

/* All up to a space or the end. */
static int take_parts(HistParser *parser) {
        CLEANUP(strv_freep) char **parts = NULL;
        bool has_keys = false;

        for (;;) {
                const char *start = parser->at;
                bool is_action = hist_action_begins(start);
                int r = is_action ? hist_action_take(parser) : take_attribute(parser, &has_keys);

                if (r >= 0 && !is_action) {
                        CLEANUP_FREE char *part = strndup(start, (size_t) (parser->at - start));

                        r = part ? strv_append(&parts, part) : -ENOMEM;
                }
                if (r < 0)
                        return r;
                if (*parser->at == '\0' || *parser->at == ' ')
                        break;
                if (*parser->at != ':')
                        return hist_parser_wrong(parser, parser->at,
                                                 is_action ? "':' or a space is expected here"
                                                           : "',' or ':' or a space is expected here");
                parser->at++;
        }
        if (!has_keys)
                return hist_parser_wrong(parser, parser->at, "keys= is missing");
        return strv_join(parts, ":", &parser->trigger->attributes);
}

static int take_event(HistParser *parser) {
        HistTrigger *trigger = parser->trigger;
        size_t length = strcspn(parser->at, " ");

        trigger->event = strndup(parser->at, length);
        if (!trigger->event)
                return -ENOMEM;
        parser->at += length + strspn(parser->at + length, " ");
        if (length == 0 || *parser->at == '\0')
                return hist_parser_wrong(parser, parser->at, "An event and, behind a space, keys=... is needed");
        if (*trigger->event == '!')
                return hist_parser_wrong(parser, trigger->text, "'!' is for events only");
        return event_pattern_check(trigger->event, parser->error);
}

static int take_filter(HistParser *parser) {
        const char *at = parser->at + strspn(parser->at, " ");

        if (*at == '\0')
                return 0;
        if (strncmp(at, "if ", 3) != 0)
                return hist_parser_wrong(parser, at, "\"if\" and a condition, or nothing, can follow here");
        at += 3 + strspn(at + 3, " ");
        if (*at == '\0')
                return hist_parser_wrong(parser, at, "The condition is missing");
        parser->trigger->filter = strdup(at);
        return parser->trigger->filter ? 0 : -ENOMEM;
}

int hist_trigger_parse(const char *text, Error *error, HistTrigger *ret) {
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { .text = strdup(text) };
        HistParser parser = { .at = trigger.text, .trigger = &trigger, .error = error };
        int r = trigger.text ? spec_check_text(text, error) : -ENOMEM;

        if (r >= 0)
                r = take_event(&parser);
        if (r >= 0)
                r = take_parts(&parser);
        if (r >= 0)
                r = take_filter(&parser);
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        if (r < 0)
                return r;
        *ret = trigger;
        trigger = (HistTrigger){ 0 };
        return 0;
}

int hist_trigger_check(const char *text, Error *error) {
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };

        return hist_trigger_parse(text, error, &trigger);
}

int hist_trigger_format(const HistTrigger *trigger, char **ret) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size = 0;

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        (void) fprintf(stream, "hist:%s", trigger->attributes);
        for (size_t i = 0; i < trigger->n_actions; i++) {
                const HistAction *action = &trigger->actions[i];

                (void) fprintf(stream, ":%s(%s).", action->handler, action->target);
                if (action->event)
                        (void) fprintf(stream, "trace(%s,%s)", action->event, action->parameters);
                else
                        (void) fprintf(stream, "save(%s)", action->parameters);
        }
        if (trigger->filter)
                (void) fprintf(stream, " if %s", trigger->filter);
        if (fclose(STEAL_PTR(stream)) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(text);
        return 0;
}
