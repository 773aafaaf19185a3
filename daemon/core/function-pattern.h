/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * FunctionPattern: which functions of the kernel, as users write it and as the kernel's set_ftrace_filter takes
 * it (Documentation/trace/ftrace.rst):
 *
 *   "vfs_read"           one name (several functions can have it)
 *   "vfs_*", "*_lock?"   globs: '*', '?', sets such as [a-z] and [!a-z]
 *   "*:mod:ext4"         only those of a module, whose name can be a glob, too
 *   ":mod:ext4"          the same
 *
 * What else the kernel would understand there is refused: commands such as "vfs_read:traceoff" (which are for
 * triggers), '!' (the key functions_notrace does that), numbers (positions in a list that changes), '#'.
 *
 * Life cycle: function_pattern_parse(), function_pattern_clear().
 */

#include <stdbool.h>

#include "core/error.h"
#include "core/function-list.h"

typedef struct FunctionPattern {
        char *name;   /* "*" when only the module was given */
        char *module; /* NULL: any, and the kernel itself */
        bool is_glob; /* the name */
} FunctionPattern;

/* ERROR_INVALID_ARGUMENT names the pattern and, below it, marks the position. */
int function_pattern_parse(const char *text, Error *error, FunctionPattern *ret);
void function_pattern_clear(FunctionPattern *pattern);
/* The same without a result, for the table of the spec's keys. */
int function_pattern_check(const char *text, Error *error);

/* For set_graph_function, which takes names and globs, but no modules (ftrace_graph_set_hash(), ftrace.c, 5.15 to
 * 6.18). */
int function_pattern_check_graph(const char *text, Error *error);

bool function_pattern_matches(const FunctionPattern *pattern, const FunctionName *function);

/* How many of the patterns, which are valid, have to be compared with every function that there is. */
size_t function_patterns_count_globs(char *const *patterns);

/* 0 when each of the patterns matches something in the list; ERROR_NO_SUCH_FUNCTION names the first that does
 * not and, if there is one, the nearest name. `key` is what the patterns belong to. */
int function_patterns_resolve(const char *key, char *const *patterns, const FunctionList *list, Error *error);

/* Sets matched[i] for each function of the list that one of the patterns matches. */
int function_patterns_match(char *const *patterns, const FunctionList *list, Error *error, bool *matched);

/* The functions that match, "name" or "name [module]" each, sorted, without repetition, at most `max` (0: all).
 * No match is no error. */
int function_pattern_list(const char *text, const FunctionList *list, size_t max, Error *error, char ***ret);
