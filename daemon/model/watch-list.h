/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The watches of a session, for the rest of the model. See watch.h.
 */

#include <json-c/json.h>

#include "model/manager.h"

/* Whether this kernel has what a spec's watches look for. *tells_of_memory is set when a condition does, see
 * filter_tells_of_memory(), and left alone otherwise. *absent (strv, or NULL) gets the name and the reason of each
 * that is optional, and for which it has not: what was not looked at here is not set up later. For the kernel
 * worker. */
int watches_look(const Spec *spec, Error *error, bool *tells_of_memory, char ***absent);
/* What a session of this spec may do: by itself, and by the profiles that its watches start. ERROR_NO_SUCH_PROFILE.
 */
int watches_powers(const Manager *manager, const Spec *spec, Error *error, unsigned *ret);

/* session_watches_ready() follows, possibly from within. */
void watches_start(Session *session);
/* The session is active. */
void watches_arm(Session *session);
void watches_stop(Session *session);
/* All that are left, at the end of the daemon, whose workers are gone. */
void watches_free(Manager *manager);

/* JSON array; NULL for want of memory. */
struct json_object *watches_describe(const Session *session);
