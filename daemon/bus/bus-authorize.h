/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusAuthorize: the step of a call between prepare and execute: may its sender do that? See bus-access.h for who
 * needs which action.
 *
 * What takes several actions (a spec with several powers) is asked about one by one. When polkit would have a person
 * authenticate for more than one of them, and may, it is first heard about all without a dialog, so that a refusal
 * comes before any; then there is one dialog, for the action ACCESS_SEVERAL_POWERS, in place of one for each.
 *
 * Every decision goes to the DecisionLog.
 */

#include "bus/bus-call.h"

/* Goes on with execute, now or later, or fails the call. */
void bus_authorize(BusCall *call);

/* The same for the powers that turned up in execute, call->powers: goes on with `then`. */
void bus_authorize_powers(BusCall *call, void (*then)(BusCall *call));
