/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusDetails: what polkit is told about a call, for its rules and its dialogs: keys and values of
 * ktraced-polkit(8), "DETAILS".
 *
 * polkit shows an agent nothing but the action's message, but there $(summary) stands for the detail of that name;
 * and whoever calls can be the agent. So a summary says of the sessions and captures of others only what everybody
 * may know.
 */

#include "bus/bus-call.h"

/* Of every call: "method", and of those on an object what it is. -ENOMEM. */
int bus_details_add_target(BusCall *call);

/* Of a call that makes a session: what it is to trace; `powers` are those of the spec. -errno. */
int bus_details_add_spec(BusCall *call, const ResolvedSpec *resolved, unsigned powers);

/* Of a call that gives a session another spec, in the place of what was told before: the keys are those of the new
 * spec, and the summary is that of the session, which can be somebody else's. -errno. */
int bus_details_change_spec(BusCall *call, const Session *session, const ResolvedSpec *resolved, unsigned powers);
