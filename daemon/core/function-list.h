/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * FunctionList: the functions that the kernel can trace, by name.
 *
 * Life cycle: function_list_parse() takes the text of available_filter_functions; function_list_clear().
 */

#include <stddef.h>

/* Both point into the list's text. */
typedef struct FunctionName {
        const char *name;
        const char *module; /* NULL: the kernel itself */
        size_t position;    /* of its line, from 1, which the kernel takes in place of a name */
} FunctionName;

typedef struct FunctionList {
        char *text;
        FunctionName *functions; /* sorted by name, then module; the kernel itself first */
        size_t n_functions;
} FunctionList;

/* A line for each, "name" or "name [module]"; what else a kernel may put behind is passed over. Takes `text`,
 * which it changes, over in any case. */
int function_list_parse(char *text, FunctionList *ret);
void function_list_clear(FunctionList *list);

/* The first of that name, or NULL. */
const FunctionName *function_list_find(const FunctionList *list, const char *name);
