/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * VerbEach: what a verb does to each of the sessions or captures that the command line names.
 */

#include "client/bus-client.h"
#include "client/options.h"
#include "client/pager.h"
#include "core/error.h"

typedef struct VerbEach {
        const char *what;  /* for "Failed to <what> NAME" */
        const char *usage; /* behind "ktracectl" */
        int (*run)(BusClient *client, const char *name, Error *error);
        /* Or, for a verb that shows what the daemon says of it: the JSON text; the caller frees. */
        int (*describe)(BusClient *client, const char *name, Error *error, char **ret);
} VerbEach;

/* Reads the names, connects, and does it to each; what fails for one does not keep it from the others. Returns the
 * exit status. */
int verb_each(const VerbEach *each, Globals *globals, int argc, char *argv[]);
