/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The scope of a spec, and what scope "self" excludes. */

#include <string.h>

#include "core/spec-private.h"

bool spec_scope_is_valid(const char *scope) {
        return strcmp(scope, SPEC_SCOPE_SELF) == 0 || strcmp(scope, SPEC_SCOPE_SYSTEM) == 0;
}

bool spec_is_self(const Spec *spec) {
        return spec->scope && strcmp(spec->scope, SPEC_SCOPE_SELF) == 0;
}

const char *spec_scope(const Spec *spec) {
        return spec->scope ? spec->scope : SPEC_SCOPE_SYSTEM;
}

/* False also for a value that changes nothing. */
static bool is_used(const Spec *spec, SpecKey key) {
        switch (key) {
        case SPEC_SYMBOLS:
                return spec->symbols;
        case SPEC_MODE:
                return spec_is_ring(spec);
        case SPEC_TRACER:
                return spec_has_tracer(spec);
        default:
                return spec_is_given(spec, key);
        }
}

int spec_check_scope(const Spec *spec, Error *error) {
        static const struct {
                SpecKey key;
                const char *action;
        } excluded[] = {
                { SPEC_MODE, "trace-system" },
                { SPEC_OPTIONS, "trace-system" },
                { SPEC_UNIT, "trace-system" },
                { SPEC_USER, "trace-system" },
                { SPEC_TRIGGERS, "trace-system" },
                { SPEC_HISTOGRAMS, "trace-system" },
                { SPEC_WATCHES, "trace-system" },
                { SPEC_SYMBOLS, "kernel-addresses" },
                { SPEC_TRACER, "trace-functions" },
                { SPEC_FUNCTIONS, "trace-functions" },
                { SPEC_FUNCTIONS_NOTRACE, "trace-functions" },
                { SPEC_GRAPH_FUNCTIONS, "trace-functions" },
                { SPEC_GRAPH_NOTRACE, "trace-functions" },
                { SPEC_FUNCTION_STACKS, "trace-functions" },
                { SPEC_PROBES, "define-probes" },
                { SPEC_PROBE_FILES, "define-probes" },
                { SPEC_SYNTHETIC_EVENTS, "define-probes" },
                { SPEC_SQL, "define-probes" },
        };

        if (!spec_is_self(spec))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(excluded); i++)
                if (is_used(spec, excluded[i].key))
                        return error_set(error, ERROR_OUT_OF_SCOPE,
                                         "%s: not in scope \"self\"; scope \"system\" takes it, with the action "
                                         "org.ktraced1.%s",
                                         spec_key_name(excluded[i].key), excluded[i].action);
        if (spec_is_given(spec, SPEC_PIDS))
                return error_set(error, ERROR_OUT_OF_SCOPE,
                                 "pids: scope \"self\" takes pidfds, since a number can pass to another process");
        if (!spec_is_given(spec, SPEC_PIDFDS))
                return error_set(error, ERROR_OUT_OF_SCOPE, "scope: \"self\" needs pidfds, the processes to trace");
        return 0;
}
