/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What `ktracectl record` does without being told: an ordinary user records his own program, which needs no
 * authentication; whatever else is asked for is tried with the whole system's scope.
 */

#include "client/options.h"
#include "client/spec-args.h"

/* Whether scope "self" is worth a try: nobody chose a scope, and there are processes of an ordinary user. */
bool record_scope_may_be_self(const SpecArgs *args, const Globals *globals, bool has_program);

/* What a program does, for a request that names nothing to record. -ENOMEM. */
int record_scope_default_events(SpecArgs *args);

/* Says that the program, as execvp(3) would find it, is to have more privileges than it will get. */
void record_scope_note_privileges(const char *program);
