/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Graph: the settings of the function_graph tracer, which the kernel has once for all instances: the functions
 * whose calls it records (set_graph_function, set_graph_notrace), the depth, the threshold and the tracer's own
 * options (kernel/trace/ftrace.c, trace_functions_graph.c, 5.15 to 6.18). Sessions that want the same of
 * them can run side by side; kernel/lease.h sees to that.
 */

#include <stdbool.h>

#include "core/error.h"
#include "core/spec.h"

/* The spec's tracer is function_graph. */
bool graph_is_wanted(const Spec *spec);

/* The option is one of the tracer's own, and graph_configure() sets it; false for another tracer's spec. */
bool graph_has_option(const Spec *spec, const char *option);

/* Tracing must be on before the tracer is set. With it off the kernel marks a task that calls one of graph_functions,
 * and does not take the mark back when the record fails: later it takes the next call of that task, whatever it is,
 * for one from such a function (ftrace_graph_ignore_func() and trace_graph_entry(), trace_functions_graph.c, 5.15
 * to 6.12). */
bool graph_needs_tracing(const Spec *spec);

/* Files below the tracing directory that graph_configure() writes. Those that the kernel does not have are among
 * them. */
int graph_list_files(const Spec *spec, char ***ret);

/* Equal for specs that want the same of these settings. */
int graph_make_key(const Spec *spec, char **ret);

/* Writes all of them, with the kernel's defaults for what the spec does not say. ERROR_NO_SUCH_FUNCTION,
 * ERROR_NOT_SUPPORTED_BY_KERNEL, ERROR_KERNEL_REFUSED. */
int graph_configure(const Spec *spec, Error *error);
