/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which functions an instance records: its files set_ftrace_filter and set_ftrace_notrace.
 */

#include "core/error.h"
#include "core/spec.h"
#include "kernel/instance.h"

/* Sets both, before anything records functions; once for an instance. ERROR_NO_SUCH_FUNCTION when a pattern has come
 * to match nothing since functions_check(), ERROR_KERNEL_REFUSED. */
int function_filter_configure(Instance *instance, const Spec *spec, Error *error);
