/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Functions: those of the running kernel that can be traced, read anew at each call, because modules come and
 * go. The kernel looks each of them up, which takes it some ten milliseconds in all.
 */

#include "core/error.h"
#include "core/function-list.h"
#include "core/spec.h"

/* ERROR_NOT_SUPPORTED_BY_KERNEL when there is no list, or nobody may read it. */
int functions_read(Error *error, FunctionList *ret);

/* Whether each pattern of the spec matches a function, changing nothing. ERROR_NO_SUCH_FUNCTION. */
int functions_check(const Spec *spec, Error *error);

/* As function_pattern_list() of the running kernel; "" is "*". */
int functions_list(const char *pattern, size_t max, Error *error, char ***ret);
