/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Reads what a trace.dat head needs from tracefs; see core/trace-formats.h.
 */

#include <stdbool.h>

#include "core/error.h"
#include "core/trace-formats.h"

/* `systems`: those whose events are recorded; "ftrace" comes always. Of "SYSTEM/PREFIX" only the events whose names
 * begin so come, and without the PREFIX. `symbols`: with the symbol table. */
int formats_collect(char *const *systems, bool symbols, Error *error, TraceFormats **ret);
/* Of these systems only `events` ("system:event"), since others may be probes of somebody's; without symbols, and
 * without the kernel's own format strings, which stand there with their addresses. */
int formats_collect_events(char *const *systems, char *const *events, Error *error, TraceFormats **ret);
/* The text of saved_cmdlines. */
int formats_read_cmdlines(char **ret);
