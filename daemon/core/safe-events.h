/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The events that a session of scope "self" may record: those that tell nothing but what the task that they
 * happen in knows or could find out itself. The list is compiled in; an administrator can add to it (the setting
 * "safe_events"), a client cannot.
 */

#include "core/error.h"
#include "core/event.h"

/* ERROR_INVALID_ARGUMENT: a pattern of the setting is not "system" or "system:event", with globs. */
int safe_events_check_pattern(const char *pattern, Error *error);

/* ERROR_OUT_OF_SCOPE names the first event that is neither in the list nor in `more` (strv of patterns). To the
 * filter of an event that is safe only in part, what makes it so is added. */
int safe_events_restrict(EventSelection *selection, char *const *more, Error *error);
