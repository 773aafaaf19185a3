/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A pattern against a small kernel; what stands behind a line break is taken as that kernel's
 * available_filter_functions instead. */

#include "fuzz.h"

#include "core/function-pattern.h"
#include "core/strv.h"

static const char some_functions[] = "vfs_read\nvfs_write\ninit_once\ninit_once [ext4]\next4_read [ext4]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(function_list_clear) FunctionList list = { 0 };
        CLEANUP(strv_freep) char **matches = NULL;
        char *functions = strchr(text, '\n'), *patterns[] = { text, NULL };
        int r, listed;

        if (functions)
                *functions++ = '\0';
        if (function_list_parse(strdup(functions ? functions : some_functions), &list) < 0)
                return 0;
        for (size_t i = 1; i < list.n_functions; i++)
                FUZZ_CHECK(strcmp(list.functions[i - 1].name, list.functions[i].name) <= 0);
        r = function_patterns_resolve("functions", patterns, &list, &error);
        /* The kernel's names are taken as they are; a suggestion can hold one. */
        if (!functions)
                fuzz_check_error(&error, r, 3);
        listed = function_pattern_list(text, &list, 0, NULL, &matches);
        FUZZ_CHECK((r == 0) == (listed == 0 && strv_length(matches) > 0));
        return 0;
}
