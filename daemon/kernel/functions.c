/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/functions.h"

#include <errno.h>
#include <string.h>

#include "core/function-pattern.h"
#include "core/strv.h"
#include "kernel/features.h"
#include "kernel/tracing-dir.h"

#define FUNCTIONS_FILE "available_filter_functions"

int functions_read(Error *error, FunctionList *ret) {
        char *text;
        int r;

        r = tracing_dir_read_text(FUNCTIONS_FILE, &text);
        if (r == -ENOENT) {
                r = features_require("function", "functions", error);
                return r < 0 ? r
                             : error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                         "functions: this kernel was built without CONFIG_DYNAMIC_FTRACE");
        }
        if (r == -EPERM || r == -EACCES)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "functions: no permission to read the kernel's list (%s): %s", FUNCTIONS_FILE,
                                 strerror(-r));
        if (r >= 0)
                r = function_list_parse(text, ret);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of functions");
        return 0;
}

int functions_check(const Spec *spec, Error *error) {
        const struct {
                SpecKey key;
                char **patterns;
        } lists[] = {
                { SPEC_FUNCTIONS, spec->functions },
                { SPEC_FUNCTIONS_NOTRACE, spec->functions_notrace },
                { SPEC_GRAPH_FUNCTIONS, spec->graph_functions },
                { SPEC_GRAPH_NOTRACE, spec->graph_notrace },
        };
        CLEANUP(function_list_clear) FunctionList list = { 0 };
        bool is_read = false;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                if (strv_length(lists[i].patterns) == 0)
                        continue;
                r = is_read ? 0 : functions_read(error, &list);
                is_read = true;
                if (r >= 0)
                        r = function_patterns_resolve(spec_key_name(lists[i].key), lists[i].patterns, &list, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int functions_list(const char *pattern, size_t max, Error *error, char ***ret) {
        CLEANUP(function_list_clear) FunctionList list = { 0 };
        int r;

        if (*pattern == '\0')
                pattern = "*";
        r = function_pattern_check(pattern, error);
        if (r >= 0)
                r = functions_read(error, &list);
        if (r < 0)
                return r;
        r = function_pattern_list(pattern, &list, max, error, ret);
        if (r < 0)
                return error_set_errno(error, r, "Cannot list the functions");
        return 0;
}
