/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * DecisionLog: who was allowed what, in the journal: each decision with caller, action, session and outcome as fields
 * (ktraced/messages.h), as many as core/decision-limit.h lets through, and the count of the rest.
 *
 * Life cycle: decision_log_new(); decision_log_write(); decision_log_free() writes what was only counted.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "bus/log.h"
#include "core/error.h"

typedef struct DecisionLog DecisionLog;

typedef struct Decision {
        const char *method;
        const char *action;  /* of static life; NULL: none that could be granted */
        int level;           /* of the entry */
        const char *outcome; /* DECISION_*, or decision_outcome() */
        const char *text;    /* for people */
        uid_t caller;
        const char *session, *capture; /* ids; NULL: none */
        const char *session_name;
        const uid_t *owner; /* of these */
} Decision;

#define DECISION_GRANTED "granted" /* by polkit */
#define DECISION_OWNER "owner"     /* what is theirs they may */
#define DECISION_ROOT "root"       /* is not asked about */

/* Why it was not granted: "denied", "authentication-required", "timed-out", "cancelled", "quota-exceeded" or
 * "failed". */
const char *decision_outcome(ErrorCode code);

/* `log` is borrowed. */
int decision_log_new(sd_event *event, const Log *log, DecisionLog **ret);
void decision_log_free(DecisionLog *log);
DEFINE_POINTER_CLEANUP(DecisionLog, decision_log_free);

void decision_log_write(DecisionLog *log, const Decision *decision);
