/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * LeaseState: what files of the tracing directory held before a session was lent them, as the JSON text from
 * which they can be restored when the daemon was killed meanwhile. Plain data; kernel/lease.h uses it.
 *
 *   {"holder": "web", "settings": [{"file": "current_tracer", "text": "nop\n"}, ...]}
 *
 * Life cycle: zeroed, lease_state_add() for each file, or lease_state_parse(); lease_state_clear().
 */

#include <stddef.h>

#include "core/error.h"

typedef struct LeaseSetting {
        char *file; /* below the tracing directory */
        char *text; /* as it was read */
} LeaseSetting;

typedef struct LeaseState {
        char *holder; /* name of the session */
        LeaseSetting *settings;
        size_t n_settings;
} LeaseState;

int lease_state_add(LeaseState *state, const char *file, const char *text);
void lease_state_clear(LeaseState *state);

int lease_state_format(const LeaseState *state, char **ret);

/* ERROR_INVALID_ARGUMENT, with `origin` and what is wrong, also for a file that is not below the tracing
 * directory. */
int lease_state_parse(const char *text, const char *origin, Error *error, LeaseState *ret);
