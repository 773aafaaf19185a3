/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * DecisionLimit: how many decisions about one caller are written to the journal, so that nobody can fill it by
 * asking. Decisions of one kind (caller, action, outcome) share a number of lines in each interval; what comes beyond
 * is counted, and the count is written when the interval is over. So a flood of one kind hides no other: a grant is
 * written however often the same caller was refused something before.
 *
 * Plain data, no clock: `now` is passed, in microseconds of any clock that does not go back.
 *
 * Life cycle: decision_limit_new(); decision_limit_take() for each decision; decision_limit_pop() for what is due;
 * decision_limit_free().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktraced/cleanup.h"

#define DECISION_LIMIT_BURST 10U
#define DECISION_LIMIT_INTERVAL 30000000U /* usec */
/* Kinds that are told apart at one time; what comes beside these shares one. */
#define DECISION_LIMIT_KINDS 256U

typedef struct DecisionKind {
        uid_t caller;
        const char *action;  /* borrowed, of static life; both NULL: of several kinds */
        const char *outcome; /* likewise */
} DecisionKind;

typedef struct DecisionLimit DecisionLimit;

/* -ENOMEM. */
int decision_limit_new(DecisionLimit **ret);
void decision_limit_free(DecisionLimit *limit);
DEFINE_POINTER_CLEANUP(DecisionLimit, decision_limit_free);

/* True: write it. False: it has been counted. Call decision_limit_pop() first. */
bool decision_limit_take(DecisionLimit *limit, const DecisionKind *kind, uint64_t now);

/* A kind whose interval is over (`all`: whichever) and of which some were only counted, which is forgotten then.
 * False: there is none. */
bool decision_limit_pop(DecisionLimit *limit, uint64_t now, bool all, DecisionKind *ret_kind, uint64_t *ret_count);

/* When decision_limit_pop() will have something next; UINT64_MAX: nothing is counted. */
uint64_t decision_limit_due(const DecisionLimit *limit);
