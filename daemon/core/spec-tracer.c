/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rules between the keys of the tracer and its functions. */

#include <string.h>

#include "core/function-pattern.h"
#include "core/spec-options.h"
#include "core/spec-private.h"
#include "core/synthetic-event.h"
#include "core/tracer-kind.h"
#include "core/trigger.h"

bool spec_has_tracer(const Spec *spec) {
        return tracer_kind(spec->tracer) != TRACER_NONE;
}

bool spec_records_functions(const Spec *spec) {
        TracerKind kind = tracer_kind(spec->tracer);

        return kind == TRACER_FUNCTIONS ||
               (kind == TRACER_LATENCY && (strv_length(spec->functions) > 0 || spec->all_functions));
}

bool spec_needs_symbols(const Spec *spec) {
        return spec->symbols || spec_has_tracer(spec) || spec_options_record_kernel_stacks(spec->options) ||
               triggers_record_stacks(spec->triggers) || synthetic_events_record_stacks(spec->synthetic_events);
}

static int check_globs(const Spec *spec, Error *error) {
        const struct {
                SpecKey key;
                char **patterns;
        } lists[] = {
                { SPEC_FUNCTIONS, spec->functions },
                { SPEC_FUNCTIONS_NOTRACE, spec->functions_notrace },
                { SPEC_GRAPH_FUNCTIONS, spec->graph_functions },
                { SPEC_GRAPH_NOTRACE, spec->graph_notrace },
        };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                size_t n = function_patterns_count_globs(lists[i].patterns);

                if (n > SPEC_FUNCTION_GLOBS_MAX)
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "%s: %zu patterns with globs, at most %u are taken",
                                         spec_key_name(lists[i].key), n, SPEC_FUNCTION_GLOBS_MAX);
        }
        return 0;
}

static int check_graph(const Spec *spec, Error *error) {
        static const SpecKey of_graph[] = { SPEC_GRAPH_FUNCTIONS, SPEC_GRAPH_NOTRACE, SPEC_GRAPH_DEPTH };

        if (spec->tracer && strcmp(spec->tracer, "function_graph") == 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(of_graph); i++)
                if (spec_is_given(spec, of_graph[i]))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: needs the tracer \"function_graph\"",
                                         spec_key_name(of_graph[i]));
        return 0;
}

int spec_check_tracer(const Spec *spec, Error *error) {
        static const SpecKey of_functions[] = { SPEC_FUNCTIONS, SPEC_FUNCTIONS_NOTRACE, SPEC_ALL_FUNCTIONS,
                                                SPEC_FUNCTION_STACKS };
        TracerKind kind = tracer_kind(spec->tracer);
        int r;

        for (size_t i = 0; i < ELEMENTSOF(of_functions); i++)
                if (spec_is_given(spec, of_functions[i]) && (kind == TRACER_NONE || kind == TRACER_OTHER))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "%s: needs a tracer that records functions, such as \"function\"",
                                         spec_key_name(of_functions[i]));
        if (kind == TRACER_FUNCTIONS && strv_length(spec->functions) == 0 &&
            strv_length(spec->graph_functions) == 0 && !spec->all_functions)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "tracer: %s without functions would record every call in the kernel; "
                                 "all_functions allows that",
                                 spec->tracer);
        if (spec->function_stacks && strcmp(spec->tracer, "function") != 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "function_stacks: needs the tracer \"function\"");
        if (spec->function_stacks && strv_length(spec->functions) == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "function_stacks: needs functions, since a stack for every call in the kernel "
                                 "would stop the machine");
        r = check_graph(spec, error);
        return r < 0 ? r : check_globs(spec, error);
}
