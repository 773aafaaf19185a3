/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where tracefs is, and small texts from it. All of daemon/kernel may block (tracefs takes the kernel's
 * event mutex, which enabling many events holds for long): call it from a worker or a pump only.
 */

#include "core/error.h"

/* ERROR_NOT_SUPPORTED_BY_KERNEL when tracefs is not mounted and cannot be, or lacks instances. */
int tracing_dir_ensure(Error *error);
/* Whole text of a file below the tracing directory. */
int tracing_dir_read_text(const char *path, char **ret);
/* Word lists, in the kernel's order. `trace_clock` marks the present one with brackets: they are taken off. */
int tracing_dir_list_tracers(char ***ret);
int tracing_dir_list_clocks(char ***ret);
/* Without "no" and sorted by name, those of all tracers among them. NULL when there is none. */
int tracing_dir_list_options(char ***ret);
