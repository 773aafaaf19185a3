/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/decision-log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>

#include "core/decision-limit.h"
#include "ktraced/clock.h"
#include "ktraced/messages.h"

struct DecisionLog {
        const Log *log;
        DecisionLimit *limit;
        sd_event *event;
        sd_event_source *timer; /* armed while something is only counted */
};

const char *decision_outcome(ErrorCode code) {
        switch (code) {
        case ERROR_ACCESS_DENIED:
                return "denied";
        case ERROR_INTERACTION_REQUIRED:
                return "authentication-required";
        case ERROR_TIMED_OUT:
                return "timed-out";
        case ERROR_CANCELLED:
                return "cancelled";
        case ERROR_QUOTA_EXCEEDED:
                return "quota-exceeded";
        default:
                return "failed";
        }
}

static void write_counts(DecisionLog *log, bool all) {
        DecisionKind kind;
        uint64_t count;

        while (decision_limit_pop(log->limit, clock_usec(CLOCK_MONOTONIC), all, &kind, &count))
                if (kind.action)
                        log_write(log->log, LOG_NOTICE,
                                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_DECISIONS_NOT_WRITTEN,
                                             .action = kind.action, .outcome = kind.outcome, .caller = &kind.caller),
                                  "%" PRIu64 " more decisions on %s for user %u were not written: %s", count,
                                  kind.action, (unsigned) kind.caller, kind.outcome);
                else
                        log_write(log->log, LOG_NOTICE,
                                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_DECISIONS_NOT_WRITTEN),
                                  "%" PRIu64 " more decisions of several kinds were not written", count);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

/* Without the timer, the counts are written with the next decision. */
static void arm_timer(DecisionLog *log) {
        uint64_t due = decision_limit_due(log->limit);

        if (due == UINT64_MAX)
                return;
        if (!log->timer) {
                (void) sd_event_add_time(log->event, &log->timer, CLOCK_MONOTONIC, due, 0, on_timer, log);
                return;
        }
        if (sd_event_source_set_time(log->timer, due) >= 0)
                (void) sd_event_source_set_enabled(log->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        DecisionLog *log = userdata;

        write_counts(log, false);
        arm_timer(log);
        return 0;
}

void decision_log_write(DecisionLog *log, const Decision *decision) {
        const DecisionKind kind = {
                .caller = decision->caller,
                .action = decision->action ? decision->action : "",
                .outcome = decision->outcome,
        };
        const bool refused = decision->level <= LOG_NOTICE;

        /* What the log's level drops anyhow is not counted. */
        if (decision->level > log->log->max_level)
                return;
        write_counts(log, false);
        if (!decision_limit_take(log->limit, &kind, clock_usec(CLOCK_MONOTONIC))) {
                arm_timer(log);
                return;
        }

        log_write(log->log, decision->level,
                  LOG_FIELDS(.message_id = refused ? KTRACED_MESSAGE_DENIED : KTRACED_MESSAGE_AUTHORIZED,
                             .session = decision->session, .session_name = decision->session_name,
                             .capture = decision->capture, .owner = decision->owner, .action = decision->action,
                             .outcome = decision->outcome, .caller = &decision->caller),
                  "%s%s%s for user %u: %s", decision->method, decision->action ? " " : "",
                  decision->action ? decision->action : "", (unsigned) decision->caller, decision->text);
}

int decision_log_new(sd_event *event, const Log *log, DecisionLog **ret) {
        DecisionLog *decisions = calloc(1, sizeof(*decisions));
        int r;

        if (!decisions)
                return -ENOMEM;
        r = decision_limit_new(&decisions->limit);
        if (r < 0) {
                free(decisions);
                return r;
        }
        decisions->log = log;
        decisions->event = sd_event_ref(event);
        *ret = decisions;
        return 0;
}

void decision_log_free(DecisionLog *log) {
        if (!log)
                return;
        write_counts(log, true);
        sd_event_source_disable_unref(log->timer);
        sd_event_unref(log->event);
        decision_limit_free(log->limit);
        free(log);
}
