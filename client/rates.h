/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * `ktracectl list events --rate`: how often events occur at present, and what recording them would cost; and
 * `--dry-run`: what a session would.
 */

#include <stdint.h>

#include "client/options.h"
#include "client/spec-args.h"

/* `patterns`: NULL terminated; empty: all events. `duration`: usec, 0: the daemon's default. Returns the exit status.
 */
int rates_list(const Globals *globals, char *const *patterns, uint64_t duration);

/* For verbs that make sessions, in place of making one. Returns the exit status. */
int rates_estimate(const Globals *globals, const SpecArgs *spec);
