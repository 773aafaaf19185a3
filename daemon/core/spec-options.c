/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/spec-options.h"

#include <string.h>

#include "core/strv.h"
#include "core/text.h"

/* Options of kernel/trace/trace.h (TRACE_FLAGS, 5.15 to 6.12) that a client may not set. */
static const struct {
        const char *name;
        const char *why;
} reserved_options[] = {
        { "overwrite", "the session's mode decides it" },
        { "event-fork", "the key \"children\" decides it" },
        { "function-fork", "the key \"children\" decides it" },
        { "trace_printk", "it concerns the whole system" },
        { "trace_printk_dest", "it concerns the whole system" },
        { "copy_trace_marker", "it concerns the whole system" },
        { "disable_on_free", "it could stop the session" },
        { "latency-format", "captures have one format" },
        { "test_nop_accept", "it is for tests of the kernel" },
        { "test_nop_refuse", "it is for tests of the kernel" },
        { "func_stack_trace", "the key \"function_stacks\" decides it" },
        { "function-trace", "the keys \"functions\" and \"all_functions\" decide it" },
};

/* The name without the "no"; no option of the kernel begins with these letters itself. */
static const char *option_name(const char *option) {
        return strncmp(option, "no", 2) == 0 && option[2] != '\0' ? option + 2 : option;
}

int spec_option_check(const char *option, Error *error) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        size_t length = strlen(option);

        if (length == 0 || length > SPEC_OPTION_LENGTH || strspn(option, allowed) != length)
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is no name of a tracer option",
                                 TEXT_ESCAPE(option));
        for (size_t i = 0; i < ELEMENTSOF(reserved_options); i++)
                if (strcmp(option_name(option), reserved_options[i].name) == 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" cannot be set: %s",
                                         TEXT_ESCAPE(option), reserved_options[i].why);
        return 0;
}

int spec_options_effective(char *const *options, char ***ret) {
        CLEANUP(strv_freep) char **effective = NULL;
        size_t n = strv_length(options);
        int r = strv_copy(NULL, &effective);

        for (size_t i = 0; r == 0 && i < n; i++) {
                size_t later = i + 1;

                while (later < n && strcmp(option_name(options[i]), option_name(options[later])) != 0)
                        later++;
                if (later == n)
                        r = strv_append(&effective, options[i]);
        }
        if (r < 0)
                return r;
        strv_sort(effective);
        *ret = STEAL_PTR(effective);
        return 0;
}

bool spec_options_trace_stacks(char *const *options) {
        return spec_options_record_kernel_stacks(options) || strv_contains(options, "userstacktrace");
}

bool spec_options_record_kernel_stacks(char *const *options) {
        return strv_contains(options, "stacktrace");
}

bool spec_options_show_addresses(char *const *options) {
        return strv_contains(options, "sym-addr") || strv_contains(options, "nohash-ptr");
}
