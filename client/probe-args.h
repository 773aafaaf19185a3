/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ProbeArgs: probes as the command line defines them, on their way to the daemon, which takes files as descriptors
 * and places in them as offsets:
 *
 *   [NAME=]uprobe:FILE:SYMBOL[+OFFSET] ...   becomes   NAME=uprobe:@0:0x1234 ...
 *   [NAME=]uprobe:FILE:OFFSET ...
 *
 * and the same for uretprobe. FILE: a path; without '/' a program in $PATH, or else a library in the usual
 * directories. What else there is (kprobe, eprobe, arguments) goes to the daemon as it is; daemon/core/probe.h has
 * the grammar.
 *
 * Life cycle: zeroed; probe_args_add() for each; probe_args_clear().
 */

#include <stddef.h>

#include "core/error.h"

typedef struct ProbeArgs {
        char **definitions; /* as the daemon takes them */
        char **paths;       /* of the files */
        int *fds;           /* one for each path, owned */
} ProbeArgs;

/* Looks the symbol up and opens the file. ERROR_INVALID_ARGUMENT says what is wrong with the definition. */
int probe_args_add(ProbeArgs *args, const char *definition, Error *error);
void probe_args_clear(ProbeArgs *args);
