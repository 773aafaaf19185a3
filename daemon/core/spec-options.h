/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The spec's tracer options: names in the kernel's options/ directory, "no" before one switches it off.
 */

#include <stdbool.h>

#include "core/error.h"

#define SPEC_OPTION_LENGTH 64U

/* Refuses what is no name, and what the daemon decides itself or what would reach outside the instance. */
int spec_option_check(const char *option, Error *error);

/* What is in effect once all were written in order: the last of each name, sorted by text. */
int spec_options_effective(char *const *options, char ***ret);

/* Is one of the options that record stacks (kernel and user) switched on anywhere in the list? */
bool spec_options_trace_stacks(char *const *options);
/* ... or one that records stacks of the kernel, which are addresses? */
bool spec_options_record_kernel_stacks(char *const *options);
/* ... or one that lets raw kernel addresses be seen? */
bool spec_options_show_addresses(char *const *options);
