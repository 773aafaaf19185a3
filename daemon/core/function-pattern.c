/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/function-pattern.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/spec.h"
#include "core/strv.h"
#include "core/suggestion.h"
#include "core/text.h"

#define MODULE_COMMAND ":mod:"
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$"
#define DIGITS "0123456789"

void function_pattern_clear(FunctionPattern *pattern) {
        free(pattern->name);
        free(pattern->module);
        *pattern = (FunctionPattern){ 0 };
}

static int refuse(const char *text, size_t position, Error *error, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The pattern has only printable ASCII up to the position, so that columns are bytes. */
static int refuse(const char *text, size_t position, Error *error, const char *format, ...) {
        char shown[4 * SPEC_PATTERN_LENGTH + 1]; /* all of it, so that the mark points at the right place */
        CLEANUP_FREE char *why = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&why, format, ap);
        va_end(ap);
        if (n < 0) {
                why = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot read a function pattern");
        }
        return error_set(error, ERROR_INVALID_ARGUMENT, "%s\n  %s\n  %*s^", why,
                         text_escape(text, shown, sizeof(shown)), (int) position, "");
}

/* The length of the set at the start of `s`, brackets included; 0 when it is none. */
static size_t set_length(const char *s) {
        size_t start = 1 + (s[1] == '!'), length = strspn(s + start, NAME_CHARACTERS "-");

        return length > 0 && s[start + length] == ']' ? start + length + 1 : 0;
}

/* One glob of names, from `start` to `end` of the text. */
static int check_glob(const char *text, size_t start, size_t end, Error *error, bool *ret_is_glob) {
        bool is_glob = false;

        if (strspn(text + start, DIGITS) > 0)
                return refuse(text, start, error, "A function pattern cannot begin with a digit");
        for (size_t i = start; i < end;) {
                size_t length = strspn(text + i, NAME_CHARACTERS);

                if (length == 0 && (text[i] == '*' || text[i] == '?'))
                        length = 1;
                if (length == 0 && text[i] == '[') {
                        length = set_length(text + i);
                        if (length == 0)
                                return refuse(text, i, error, "A set of characters such as [a-z] is not complete");
                }
                if (length == 0)
                        return refuse(text, i, error, "This cannot stand in the name of a function or module");
                is_glob = is_glob || strchr("*?[", text[i]);
                i += length;
        }
        *ret_is_glob = is_glob;
        return 0;
}

int function_pattern_parse(const char *text, Error *error, FunctionPattern *ret) {
        CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };
        size_t length = strlen(text), name_length = strcspn(text, ":");
        bool has_module = text[name_length] == ':', module_is_glob;
        const char *module = text + name_length + strlen(MODULE_COMMAND);
        int r;

        if (length == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "A function pattern is empty");
        if (length > SPEC_PATTERN_LENGTH)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "Function pattern \"%s\" is %zu bytes long, at most %u are taken", TEXT_ESCAPE(text),
                                 length, SPEC_PATTERN_LENGTH);
        if (*text == '!')
                return refuse(text, 0, error, "Functions are left out by functions_notrace and not with '!'");
        r = check_glob(text, 0, name_length, error, &pattern.is_glob);
        if (r < 0)
                return r;
        if (has_module && strncmp(text + name_length, MODULE_COMMAND, strlen(MODULE_COMMAND)) != 0)
                return refuse(text, name_length, error, "Only \":mod:\" and a module can follow a function's name");
        if (has_module && *module == '\0')
                return refuse(text, length, error, "The module's name is missing");
        if (has_module)
                r = check_glob(text, (size_t) (module - text), length, error, &module_is_glob);
        if (r < 0)
                return r;

        pattern.is_glob = pattern.is_glob || name_length == 0;
        pattern.name = name_length > 0 ? strndup(text, name_length) : strdup("*");
        pattern.module = has_module ? strdup(module) : NULL;
        if (!pattern.name || (has_module && !pattern.module))
                return error_set_errno(error, -ENOMEM, "Cannot read a function pattern");
        *ret = pattern;
        pattern = (FunctionPattern){ 0 };
        return 0;
}

int function_pattern_check(const char *text, Error *error) {
        CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };

        return function_pattern_parse(text, error, &pattern);
}

int function_pattern_check_graph(const char *text, Error *error) {
        CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };
        int r = function_pattern_parse(text, error, &pattern);

        if (r < 0 || !pattern.module)
                return r;
        return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" names a module, which is for functions only",
                         TEXT_ESCAPE(text));
}

bool function_pattern_matches(const FunctionPattern *pattern, const FunctionName *function) {
        if (pattern->module && (!function->module || fnmatch(pattern->module, function->module, FNM_NOESCAPE) != 0))
                return false;
        return fnmatch(pattern->name, function->name, FNM_NOESCAPE) == 0;
}

/* The part of the sorted list in which all matches are: for a name, its run. */
static void find_range(const FunctionPattern *pattern, const FunctionList *list, size_t *ret_start, size_t *ret_end) {
        const FunctionName *first = pattern->is_glob ? NULL : function_list_find(list, pattern->name);
        size_t start = first ? (size_t) (first - list->functions) : 0, end = start;

        if (pattern->is_glob)
                end = list->n_functions;
        else if (first)
                while (end < list->n_functions && strcmp(list->functions[end].name, first->name) == 0)
                        end++;
        *ret_start = start;
        *ret_end = end;
}

static bool matches_any(const FunctionPattern *pattern, const FunctionList *list) {
        size_t start, end;

        find_range(pattern, list, &start, &end);
        for (size_t i = start; i < end; i++)
                if (function_pattern_matches(pattern, list->functions + i))
                        return true;
        return false;
}

int function_patterns_match(char *const *patterns, const FunctionList *list, Error *error, bool *matched) {
        for (; patterns && *patterns; patterns++) {
                CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };
                size_t start, end;
                int r = function_pattern_parse(*patterns, error, &pattern);

                if (r < 0)
                        return r;
                find_range(&pattern, list, &start, &end);
                for (size_t i = start; i < end; i++)
                        matched[i] = matched[i] || function_pattern_matches(&pattern, list->functions + i);
        }
        return 0;
}

size_t function_patterns_count_globs(char *const *patterns) {
        size_t n = 0;

        /* ":mod:x" is a glob of names, too. */
        for (; patterns && *patterns; patterns++) {
                size_t length = strcspn(*patterns, ":");

                n += length == 0 || strcspn(*patterns, "*?[") < length;
        }
        return n;
}

static bool has_module(const FunctionList *list, const char *module, Suggestion *suggestion) {
        for (size_t i = 0; i < list->n_functions; i++) {
                if (!list->functions[i].module)
                        continue;
                if (fnmatch(module, list->functions[i].module, FNM_NOESCAPE) == 0)
                        return true;
                suggestion_consider(suggestion, list->functions[i].module);
        }
        return false;
}

static int refuse_pattern(const char *key, const char *text, const FunctionPattern *pattern, const FunctionList *list,
                          Error *error) {
        Suggestion suggestion;

        if (pattern->module) {
                suggestion_init(&suggestion, pattern->module);
                if (!has_module(list, pattern->module, &suggestion))
                        return error_set(error, ERROR_NO_SUCH_FUNCTION,
                                         "%s: No loaded module \"%s\" has functions that can be traced%s%s%s", key,
                                         pattern->module, suggestion_best(&suggestion) ? "; did you mean \"" : "",
                                         suggestion_best(&suggestion) ?: "",
                                         suggestion_best(&suggestion) ? "\"?" : "");
                return error_set(error, ERROR_NO_SUCH_FUNCTION, "%s: No function of module %s matches \"%s\"", key,
                                 pattern->module, text);
        }
        if (pattern->is_glob)
                return error_set(error, ERROR_NO_SUCH_FUNCTION, "%s: No function matches \"%s\"", key, text);
        suggestion_init(&suggestion, pattern->name);
        for (size_t i = 0; i < list->n_functions; i++)
                suggestion_consider(&suggestion, list->functions[i].name);
        if (suggestion_best(&suggestion))
                return error_set(error, ERROR_NO_SUCH_FUNCTION,
                                 "%s: No function that can be traced is called \"%s\"; did you mean \"%s\"?", key,
                                 text, suggestion_best(&suggestion));
        return error_set(error, ERROR_NO_SUCH_FUNCTION, "%s: No function that can be traced is called \"%s\"", key,
                         text);
}

int function_patterns_resolve(const char *key, char *const *patterns, const FunctionList *list, Error *error) {
        for (; patterns && *patterns; patterns++) {
                CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };
                int r = function_pattern_parse(*patterns, error, &pattern);

                if (r < 0)
                        return r;
                if (!matches_any(&pattern, list))
                        return refuse_pattern(key, *patterns, &pattern, list, error);
        }
        return 0;
}

static bool is_repetition(const FunctionList *list, size_t i) {
        const FunctionName *function = list->functions + i;

        return i > 0 && strcmp(function[-1].name, function->name) == 0 &&
               strcmp(function[-1].module ?: "", function->module ?: "") == 0;
}

int function_pattern_list(const char *text, const FunctionList *list, size_t max, Error *error, char ***ret) {
        CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };
        CLEANUP(strv_freep) char **names = NULL;
        size_t n = 0;
        int r = function_pattern_parse(text, error, &pattern);

        if (r < 0)
                return r;
        /* All at once: appending one by one counts what is there each time. */
        names = calloc(list->n_functions + 1, sizeof(*names));
        if (!names)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_functions && (max == 0 || n < max); i++) {
                const FunctionName *function = list->functions + i;

                if (is_repetition(list, i) || !function_pattern_matches(&pattern, function))
                        continue;
                r = function->module ? asprintf(&names[n], "%s [%s]", function->name, function->module)
                                     : asprintf(&names[n], "%s", function->name);
                if (r < 0) {
                        names[n] = NULL;
                        return -ENOMEM;
                }
                n++;
        }
        *ret = STEAL_PTR(names);
        return 0;
}
