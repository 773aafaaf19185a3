/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/function-list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/cleanup.h"

/* What the kernel calls a place whose function has been discarded (FTRACE_INVALID_FUNCTION, ftrace.h, 5.19). */
#define INVALID_FUNCTION "__ftrace_invalid_address__"

void function_list_clear(FunctionList *list) {
        free(list->functions);
        free(list->text);
        *list = (FunctionList){ 0 };
}

static int compare(const void *a, const void *b) {
        const FunctionName *x = a, *y = b;
        int r = strcmp(x->name, y->name);

        return r != 0 ? r : strcmp(x->module ? x->module : "", y->module ? y->module : "");
}

/* Cuts the line into its parts. */
static FunctionName parse_line(char *line) {
        FunctionName function = { .name = line };
        char *rest = line + strcspn(line, " \t"), *end;

        if (*rest == '\0')
                return function;
        *rest++ = '\0';
        rest += strspn(rest, " \t");
        end = *rest == '[' ? strchr(rest, ']') : NULL;
        if (end && end > rest + 1) {
                *end = '\0';
                function.module = rest + 1;
        }
        return function;
}

int function_list_parse(char *text, FunctionList *ret) {
        CLEANUP(function_list_clear) FunctionList list = { .text = text };
        size_t n_lines = 1, position = 0;
        char *line;

        for (const char *s = text; *s != '\0'; s++)
                n_lines += *s == '\n';
        list.functions = calloc(n_lines, sizeof(*list.functions));
        if (!list.functions)
                return -ENOMEM;
        while ((line = strsep(&text, "\n"))) {
                FunctionName function = parse_line(line);

                function.position = ++position;
                if (*function.name != '\0' && strncmp(function.name, INVALID_FUNCTION, strlen(INVALID_FUNCTION)) != 0)
                        list.functions[list.n_functions++] = function;
        }
        qsort(list.functions, list.n_functions, sizeof(*list.functions), compare);
        *ret = list;
        list = (FunctionList){ 0 };
        return 0;
}

const FunctionName *function_list_find(const FunctionList *list, const char *name) {
        size_t low = 0, high = list->n_functions;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(list->functions[middle].name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < list->n_functions && strcmp(list->functions[low].name, name) == 0 ? list->functions + low : NULL;
}
