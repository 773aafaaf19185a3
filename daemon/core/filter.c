/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/spec.h"
#include "core/suggestion.h"
#include "core/text.h"

#define NESTING_MAX 64U
#define STRING_LENGTH_MAX 255U /* MAX_FILTER_STR_VAL - 1 (kernel/trace/trace.h, 5.15) */
#define EXCERPT_BEFORE 60U     /* bytes of a long expression shown before the position, */
#define EXCERPT_AFTER 60U      /* and behind it */

typedef enum Operator {
        OPERATOR_EQ,
        OPERATOR_NE,
        OPERATOR_GLOB,
        OPERATOR_LE,
        OPERATOR_LT,
        OPERATOR_GE,
        OPERATOR_GT,
        OPERATOR_AND,
        _OPERATOR_MAX,
} Operator;

/* Longer ones before those that they begin with. */
static const char *const operator_texts[_OPERATOR_MAX] = {
        [OPERATOR_EQ] = "==", [OPERATOR_NE] = "!=", [OPERATOR_GLOB] = "~", [OPERATOR_LE] = "<=",
        [OPERATOR_LT] = "<",  [OPERATOR_GE] = ">=", [OPERATOR_GT] = ">",   [OPERATOR_AND] = "&",
};

typedef struct Parser {
        const char *expression;
        const char *at;
        const FilterField *fields;
        size_t n_fields;
        bool self;
        bool tells_of_memory; /* found so far */
        Error *error;
} Parser;

/* What every event has: kernel/trace/trace_events.c, trace_define_generic_fields() (5.15; the stack trace
 * since 6.5). */
static const FilterField generic_fields[] = {
        { .name = "CPU" },
        { .name = "cpu" },
        { .name = "COMM", .is_string = true },
        { .name = "comm", .is_string = true },
        { .name = "STACKTRACE" },
        { .name = "stacktrace" },
};

static bool is_continuation(char c) {
        return ((unsigned char) c & 0xc0) == 0x80;
}

/* The sentence, then a line with the expression around `at`, then one that points to it. */
static int fail_at(Parser *parser, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail_at(Parser *parser, const char *at, const char *format, ...) {
        CLEANUP_FREE char *sentence = NULL;
        const char *start = parser->expression, *end = at + strlen(at);
        const char *dots_before = "", *dots_after = "";
        size_t column = 0;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&sentence, format, ap);
        va_end(ap);
        if (r < 0)
                return error_set(parser->error, ERROR_NO_MEMORY, "Out of memory");

        if ((size_t) (at - start) > EXCERPT_BEFORE) {
                start = at - EXCERPT_BEFORE;
                dots_before = "...";
        }
        if ((size_t) (end - at) > EXCERPT_AFTER) {
                end = at + EXCERPT_AFTER;
                dots_after = "...";
        }
        /* Do not cut a character of several bytes. */
        while (start < at && is_continuation(*start))
                start++;
        while (end > at && is_continuation(*end))
                end--;
        for (const char *s = start; s < at; s++)
                column += !is_continuation(*s);

        return error_set(parser->error, ERROR_BAD_FILTER, "%s\n%s%.*s%s\n%*s^", sentence, dots_before,
                         (int) (end - start), start, dots_after, (int) (strlen(dots_before) + column), "");
}

static void skip_spaces(Parser *parser) {
        while (*parser->at == ' ')
                parser->at++;
}

static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static size_t word_length(const char *s) {
        size_t length = 0;

        while (is_word(s[length]))
                length++;
        return length;
}

static bool word_equals(const char *word, size_t length, const char *name) {
        return strlen(name) == length && memcmp(word, name, length) == 0;
}

static bool take(Parser *parser, const char *text) {
        size_t length = strlen(text);

        if (strncmp(parser->at, text, length) != 0)
                return false;
        parser->at += length;
        return true;
}

static int unknown_field(Parser *parser, const char *word, size_t length) {
        char name[SUGGESTION_LENGTH_MAX + 1];
        Suggestion suggestion;

        if (length == 0)
                return fail_at(parser, word,
                               *word == '\0' ? "A field's name is missing at the end"
                                             : "A field's name is expected here");
        if (length >= sizeof(name))
                return fail_at(parser, word, "The event has no such field");
        memcpy(name, word, length);
        name[length] = '\0';
        suggestion_init(&suggestion, name);
        for (size_t i = 0; i < parser->n_fields; i++)
                suggestion_consider(&suggestion, parser->fields[i].name);
        if (!suggestion_best(&suggestion))
                return fail_at(parser, word, "The event has no field \"%s\"", name);
        return fail_at(parser, word, "The event has no field \"%s\"; did you mean \"%s\"?", name,
                       TEXT_ESCAPE(suggestion_best(&suggestion)));
}

static int parse_field(Parser *parser, FilterField *ret) {
        const char *word = parser->at;
        size_t length = word_length(word);

        for (size_t i = 0; i < parser->n_fields; i++)
                if (word_equals(word, length, parser->fields[i].name)) {
                        *ret = parser->fields[i];
                        parser->at += length;
                        return 0;
                }
        for (size_t i = 0; i < ELEMENTSOF(generic_fields); i++)
                if (word_equals(word, length, generic_fields[i].name)) {
                        *ret = generic_fields[i];
                        parser->at += length;
                        return 0;
                }
        if (length > 7 && strncmp(word, "common_", 7) == 0) {
                *ret = (FilterField){ .name = "common_" };
                parser->at += length;
                return 0;
        }
        return unknown_field(parser, word, length);
}

static int parse_operator(Parser *parser, Operator *ret) {
        skip_spaces(parser);
        for (unsigned op = 0; op < _OPERATOR_MAX; op++)
                if (take(parser, operator_texts[op])) {
                        *ret = (Operator) op;
                        return 0;
                }
        if (*parser->at == '=')
                return fail_at(parser, parser->at, "\"=\" is no operator; equality is \"==\"");
        return fail_at(parser, parser->at, "An operator is expected here: one of == != < <= > >= & ~");
}

/* CPUS{0-3,8}: "CPUS" is taken already. */
static int parse_cpus(Parser *parser) {
        CLEANUP(cpu_list_clear) CpuList cpus = { 0 };
        CLEANUP_FREE char *list = NULL;
        const char *start, *end;

        if (!take(parser, "{"))
                return fail_at(parser, parser->at, "'{' is expected here");
        start = parser->at;
        end = strchr(start, '}');
        if (!end)
                return fail_at(parser, start, "This list of CPUs has no closing '}'");
        list = strndup(start, (size_t) (end - start));
        if (!list)
                return error_set(parser->error, ERROR_NO_MEMORY, "Out of memory");
        if (cpu_list_parse(list, NULL, &cpus) < 0)
                return fail_at(parser, start, "This is no list of CPUs such as 0-3,8");
        parser->at = end + 1;
        return 0;
}

static int parse_quoted(Parser *parser) {
        const char *quote = parser->at, *end = strchr(quote + 1, *quote);

        if (!end)
                return fail_at(parser, quote, "This string has no closing %c", *quote);
        if ((size_t) (end - quote - 1) > STRING_LENGTH_MAX)
                return fail_at(parser, quote, "This string is longer than the %u bytes that the kernel takes",
                               STRING_LENGTH_MAX);
        parser->at = end + 1;
        return 0;
}

/* The name or address of a function, up to what can end it. */
static int parse_function_name(Parser *parser) {
        size_t length = strcspn(parser->at, " ()&|");

        if (length == 0)
                return fail_at(parser, parser->at, "A value is expected here");
        parser->at += length;
        return 0;
}

static int parse_number(Parser *parser) {
        const char *start = parser->at, *digits = start + (*start == '-');
        size_t length = word_length(digits);
        char copy[32], *end;

        if (!is_digit(*digits))
                return fail_at(parser, start,
                               *start == '\0' ? "A number is missing at the end"
                                              : "A number is expected here: the field is no string");
        if (length >= sizeof(copy))
                return fail_at(parser, start, "This number is too large");
        memcpy(copy, digits, length);
        copy[length] = '\0';
        errno = 0;
        (void) strtoull(copy, &end, 0);
        if (*end != '\0')
                return fail_at(parser, digits + (end - copy), "This does not belong into a number");
        if (errno == ERANGE)
                return fail_at(parser, start, "This number is too large");
        parser->at = digits + length;
        return 0;
}

static int parse_function(Parser *parser, Operator op, const char *operator_at) {
        if (op != OPERATOR_EQ && op != OPERATOR_NE)
                return fail_at(parser, operator_at, "A function can only be compared with == and !=");
        return parse_function_name(parser);
}

static int parse_string(Parser *parser, Operator op, const char *operator_at) {
        if (op != OPERATOR_EQ && op != OPERATOR_NE && op != OPERATOR_GLOB)
                return fail_at(parser, operator_at, "Strings can only be compared with ==, != and ~");
        if (*parser->at == '"' || *parser->at == '\'')
                return parse_quoted(parser);
        if (*parser->at == '\0')
                return fail_at(parser, parser->at, "A string is missing at the end");
        /* The kernel takes none without since 4.17. */
        return fail_at(parser, parser->at, "The field is a string: put the value into quotes");
}

static int parse_value(Parser *parser, const FilterField *field, Operator op, const char *operator_at) {
        if (strncmp(parser->at, "CPUS", 4) == 0 && !field->is_string) {
                if (op != OPERATOR_EQ && op != OPERATOR_NE && op != OPERATOR_AND)
                        return fail_at(parser, operator_at, "CPUS{...} can only be compared with ==, != and &");
                parser->at += 4;
                return parse_cpus(parser);
        }
        if (op == OPERATOR_GLOB)
                return fail_at(parser, operator_at, "\"~\" is for strings, which this field is not");
        return parse_number(parser);
}

static int parse_predicate(Parser *parser) {
        bool user_string, function = false;
        const char *suffix_at, *operator_at;
        FilterField field = { 0 };
        Operator op = OPERATOR_EQ;
        int r = parse_field(parser, &field);

        if (r < 0)
                return r;
        suffix_at = parser->at;
        user_string = take(parser, ".ustring");
        if (!user_string)
                function = take(parser, ".function");
        if (function && field.is_string)
                return fail_at(parser, suffix_at, "\".function\" is for addresses, which this field is not");
        parser->tells_of_memory |= function || (field.is_foreign && !user_string);
        if (parser->self && (function || (field.is_indirect && !user_string)))
                return error_set(parser->error, ERROR_OUT_OF_SCOPE,
                                 "%s: such a comparison looks at the kernel's memory, which scope \"self\" does not "
                                 "allow%s",
                                 field.name, function ? "" : "; \".ustring\" looks at the program's");
        if (*parser->at == '.')
                return fail_at(parser, parser->at, "Only \".function\" and \".ustring\" may follow a field's name");

        skip_spaces(parser);
        operator_at = parser->at;
        r = parse_operator(parser, &op);
        if (r < 0)
                return r;
        skip_spaces(parser);
        if (function)
                return parse_function(parser, op, operator_at);
        if (field.is_string || user_string)
                return parse_string(parser, op, operator_at);
        return parse_value(parser, &field, op, operator_at);
}

/* What may stand before a predicate: '!' and '(' in any number. */
static int parse_prefix(Parser *parser, const char **parentheses, size_t *depth) {
        for (;;) {
                skip_spaces(parser);
                if (*parser->at == '!') {
                        parser->at++;
                        continue;
                }
                if (*parser->at != '(')
                        return 0;
                if (*depth == NESTING_MAX)
                        return fail_at(parser, parser->at, "More than %u parentheses are open here", NESTING_MAX);
                parentheses[(*depth)++] = parser->at++;
        }
}

/* What may stand behind a predicate: ')' in the number that is open, then && or || or the end. */
static int parse_suffix(Parser *parser, size_t *depth, bool *ret_more) {
        for (;;) {
                skip_spaces(parser);
                if (*parser->at != ')')
                        break;
                if (*depth == 0)
                        return fail_at(parser, parser->at, "This ')' has no '('");
                (*depth)--;
                parser->at++;
        }
        *ret_more = *parser->at != '\0';
        if (*ret_more && !take(parser, "&&") && !take(parser, "||"))
                return fail_at(parser, parser->at, "\"&&\" or \"||\" is expected here");
        return 0;
}

/* predicate { ("&&" | "||") predicate }, where a loop and a count of parentheses are all that it takes. */
static int parse_expression(Parser *parser) {
        const char *parentheses[NESTING_MAX];
        size_t depth = 0;
        bool more = true;

        while (more) {
                int r = parse_prefix(parser, parentheses, &depth);

                if (r == 0)
                        r = parse_predicate(parser);
                if (r == 0)
                        r = parse_suffix(parser, &depth, &more);
                if (r < 0)
                        return r;
        }
        if (depth > 0)
                return fail_at(parser, parentheses[depth - 1], "This '(' has no ')'");
        return 0;
}

static int check(const char *expression, const FilterField *fields, size_t n_fields, bool self, Error *error) {
        Parser parser = {
                .expression = expression,
                .at = expression,
                .fields = fields,
                .n_fields = n_fields,
                .self = self,
                .error = error,
        };
        size_t length = strlen(expression);

        if (length > SPEC_FILTER_LENGTH)
                return error_set(error, ERROR_BAD_FILTER,
                                 "The filter is %zu bytes long, at most %u are taken: \"%s\"", length,
                                 SPEC_FILTER_LENGTH, TEXT_ESCAPE(expression));
        if (!text_is_printable(expression))
                return error_set(error, ERROR_BAD_FILTER, "The filter has a control character or bad UTF-8: \"%s\"",
                                 TEXT_ESCAPE(expression));
        return parse_expression(&parser);
}

bool filter_tells_of_memory(const char *expression, const FilterField *fields, size_t n_fields) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Parser parser = {
                .expression = expression,
                .at = expression,
                .fields = fields,
                .n_fields = n_fields,
                .error = &error,
        };

        (void) parse_expression(&parser);
        return parser.tells_of_memory;
}

int filter_check(const char *expression, const FilterField *fields, size_t n_fields, Error *error) {
        return check(expression, fields, n_fields, false, error);
}

int filter_check_self(const char *expression, const FilterField *fields, size_t n_fields, Error *error) {
        return check(expression, fields, n_fields, true, error);
}
