/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/overhead.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/json-text.h"
#include "core/strv.h"
#include "ktraced/clock.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/measure.h"
#include "model/session-run.h"
#include "model/source.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define PER_PERMILLE (OVERHEAD_WHOLE / 1000)

/* For how long the events are counted to find the hot one. */
#define SAMPLE_DURATION (USEC_PER_SEC / 5)
/* Between two looks at a ring: not before the first, and when there is little, whenever the daemon is awake after
 * that, within the second. */
#define LOOK_INTERVAL USEC_PER_SEC
#define LOOK_ACCURACY_NEAR (USEC_PER_SEC / 10)
#define LOOK_ACCURACY_FAR (900 * USEC_PER_SEC)
/* The pump reports once a second, when there is something new. */
#define REFRESH_INTERVAL (3 * USEC_PER_SEC)
/* A warning is not repeated before. */
#define WARN_INTERVAL (300 * USEC_PER_SEC)

struct Overhead {
        Session *session;
        OverheadGuard guard;
        OverheadPolicy policy;
        sd_event_source *timer; /* of a ring */
        bool acting;            /* the hot event is being looked for, or switched off */
        uint64_t n_exceeded;
        uint64_t warned; /* CLOCK_MONOTONIC, usec; 0: never */
        char *hot_event; /* NULL: none was found */
        uint64_t hot_rate;
};

/* What is under way, which outlives the session if need be. */
typedef struct OverheadAction {
        Manager *manager;
        char *session_id;
        uint64_t run; /* when that run of the session began */
} OverheadAction;

static void action_free(OverheadAction *action) {
        if (!action)
                return;
        free(action->session_id);
        free(action);
}
DEFINE_POINTER_CLEANUP(OverheadAction, action_free);

static int action_new(const Overhead *overhead, OverheadAction **ret) {
        CLEANUP(action_freep) OverheadAction *action = calloc(1, sizeof(*action));

        if (!action)
                return -ENOMEM;
        action->manager = overhead->session->manager;
        action->run = overhead->session->started;
        action->session_id = strdup(overhead->session->id);
        if (!action->session_id)
                return -ENOMEM;
        *ret = STEAL_PTR(action);
        return 0;
}

/* NULL: its session is not active any more. */
static Overhead *action_find(const OverheadAction *action) {
        Session *session;

        LIST_FOREACH(session, &action->manager->sessions, sessions)
                if (strcmp(session->id, action->session_id) == 0 && session->started == action->run)
                        return session->overhead;
        return NULL;
}

/* "812345 events a second, 12.3% of the CPUs' time; the most frequent is sched:sched_switch, 400000 a second" */
static int describe_excess(const Overhead *overhead, char **ret) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size;

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        (void) fprintf(stream, "%" PRIu64 " events a second", overhead->guard.rate);
        if (overhead->guard.cost > 0)
                (void) fprintf(stream, ", some %" PRIu64 ".%" PRIu64 "%% of the CPUs' time",
                               overhead->guard.share / (10 * PER_PERMILLE),
                               overhead->guard.share / PER_PERMILLE % 10);
        if (overhead->hot_event)
                (void) fprintf(stream, "; the most frequent is %s, %" PRIu64 " a second", overhead->hot_event,
                               overhead->hot_rate);
        if (fclose(STEAL_PTR(stream)) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(text);
        return 0;
}

static void tell(const Overhead *overhead, OverheadPolicy action, const char *what) {
        const Session *session = overhead->session;
        const Manager *manager = session->manager;
        CLEANUP_FREE char *excess = NULL, *text = NULL;

        if (!manager->observer->session_overhead || describe_excess(overhead, &excess) < 0)
                return;
        if (asprintf(&text, "over its budget with %s%s%s", excess, *what ? ": " : "", what) < 0) {
                text = NULL;
                return;
        }
        manager->observer->session_overhead(session, overhead_policy_to_string(action), overhead->guard.rate,
                                            overhead->guard.share, text, manager->observer_userdata);
}

/* The session may be gone afterwards. */
static void stop(Overhead *overhead, const char *why) {
        Session *session = overhead->session;
        CLEANUP_FREE char *excess = NULL, *reason = NULL;

        tell(overhead, OVERHEAD_STOP, why);
        if (describe_excess(overhead, &excess) < 0 || asprintf(&reason, "overhead: %s", excess) < 0)
                reason = NULL;
        session_end(session, reason ? reason : "overhead");
}

/* Thinning out */

typedef struct ThinJob {
        Job job; /* first */
        OverheadAction *action;
        Instance *instance; /* of the source, whose removal is a later job of the same worker's */
        char *event;
        int r;
        Error error;
} ThinJob;

static void thin_job_free(MailboxItem *item) {
        ThinJob *job = (ThinJob *) item;

        action_free(job->action);
        error_clear(&job->error);
        free(job->event);
        free(job);
}

static void thin_run(Job *base) {
        ThinJob *job = (ThinJob *) base;

        job->r = instance_disable_event(job->instance, job->event, &job->error);
}

static void note_thinned(Session *session, const char *event) {
        int r = strv_append(&session->thinned, event);

        if (r >= 0 && session->capture && session->state == SESSION_ACTIVE && !spec_is_ring(session->spec)) {
                capture_note_thinned(session->capture, event);
                r = pump_note_thinned(session->source->pump, session->sink_id, event);
        }
        if (r < 0)
                manager_notice(session->manager, LOG_WARNING, session, session->capture,
                               "Cannot note that %s is left out: out of memory", event);
}

static void thin_done(Job *base) {
        ThinJob *job = (ThinJob *) base;
        Overhead *overhead = action_find(job->action);
        CLEANUP_FREE char *what = NULL;

        if (overhead && job->r >= 0) {
                overhead->acting = false;
                overhead_guard_restart(&overhead->guard, clock_usec(CLOCK_MONOTONIC));
                note_thinned(overhead->session, job->event);
                if (asprintf(&what, "%s is left out from now on", job->event) < 0)
                        what = NULL;
                tell(overhead, OVERHEAD_THIN, what ? what : "");
        } else if (overhead)
                stop(overhead, error_text(&job->error));
        thin_job_free(&job->job.item);
}

static int begin_thinning(Overhead *overhead) {
        ThinJob *job = calloc(1, sizeof(*job));
        int r;

        if (!job)
                return -ENOMEM;
        *job = (ThinJob){
                .job = { .item = { .free = thin_job_free }, .run = thin_run, .done = thin_done },
                .instance = overhead->session->source->instance,
                .event = strdup(overhead->hot_event),
        };
        r = job->event ? action_new(overhead, &job->action) : -ENOMEM;
        if (r < 0) {
                thin_job_free(&job->job.item);
                return r;
        }
        worker_submit(overhead->session->manager->kernel_worker, &job->job);
        return 0;
}

/* What is recorded beside the chosen events cannot be left out one by one. */
static bool events_are_the_most(const Overhead *overhead, const EventRates *rates) {
        return rate_per_second(rates->events, rates->duration) > overhead->guard.rate / 4;
}

static void act(Overhead *overhead, const EventRates *rates) {
        overhead->acting = false;
        overhead->n_exceeded++;
        switch (overhead->policy) {
        case OVERHEAD_WARN:
                overhead->warned = clock_usec(CLOCK_MONOTONIC);
                tell(overhead, OVERHEAD_WARN, "");
                return;
        case OVERHEAD_THIN:
                if (!overhead->hot_event || !rates || !events_are_the_most(overhead, rates)) {
                        stop(overhead, "there is nothing that could be left out");
                        return;
                }
                overhead->acting = begin_thinning(overhead) >= 0;
                return;
        case OVERHEAD_STOP:
                stop(overhead, "");
                return;
        }
}

static void on_sampled(int r, const Error *error, void *result, void *userdata) {
        CLEANUP(action_freep) OverheadAction *action = userdata;
        Overhead *overhead = action_find(action);
        const EventRates *rates = r < 0 ? NULL : result;
        const EventRate *hot = rates ? event_rates_hottest(rates) : NULL;

        if (!overhead)
                return;
        /* The first measurement of all finds it out. */
        overhead_guard_set_cost(&overhead->guard, action->manager->event_cost);
        free(STEAL_PTR(overhead->hot_event));
        overhead->hot_rate = 0;
        if (r < 0)
                manager_notice(overhead->session->manager, LOG_WARNING, overhead->session, NULL,
                               "Cannot see which event is the most frequent: %s", error_text(error));
        if (hot) {
                overhead->hot_event = strdup(hot->event);
                overhead->hot_rate = event_rate(rates, hot);
        }
        act(overhead, rates);
}

static void action_drop(void *userdata) {
        action_free(userdata);
}

/* Not now: somebody else's are being counted, or memory is short. The next look tries again. */
static void begin_acting(Overhead *overhead) {
        OverheadAction *action;

        if (overhead->warned > 0 && clock_usec(CLOCK_MONOTONIC) - overhead->warned < WARN_INTERVAL)
                return;
        if (action_new(overhead, &action) < 0)
                return;
        overhead->acting = true;
        if (manager_sample(overhead->session, SAMPLE_DURATION, on_sampled, action_drop, action) < 0) {
                overhead->acting = false;
                action_free(action);
        }
}

void overhead_look(Overhead *overhead, uint64_t total) {
        OverheadState state;

        if (!overhead)
                return;
        overhead_guard_set_cost(&overhead->guard, overhead->session->manager->event_cost);
        state = overhead_guard_look(&overhead->guard, total, clock_usec(CLOCK_MONOTONIC));
        if (overhead_guard_wants_cost(&overhead->guard))
                manager_want_event_cost(overhead->session->manager);
        if (state == OVERHEAD_EXCEEDED && !overhead->acting)
                begin_acting(overhead);
}

void overhead_refresh(Overhead *overhead, uint64_t total) {
        if (overhead && !overhead->timer && clock_usec(CLOCK_MONOTONIC) - overhead->guard.time >= REFRESH_INTERVAL)
                overhead_look(overhead, total);
}

/* Rings */

static int arm(Overhead *overhead) {
        const bool near = overhead_guard_is_near(&overhead->guard);
        int r;

        r = sd_event_source_set_time_accuracy(overhead->timer, near ? LOOK_ACCURACY_NEAR : LOOK_ACCURACY_FAR);
        if (r >= 0)
                r = sd_event_source_set_time_relative(overhead->timer, LOOK_INTERVAL);
        return r < 0 ? r : sd_event_source_set_enabled(overhead->timer, SD_EVENT_ONESHOT);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Overhead *overhead = userdata;
        Session *session = overhead->session;
        uint64_t total = 0;
        int r = buffer_meter_read(session->source->meter, &total);

        if (r >= 0) {
                overhead_look(overhead, total);
                r = arm(overhead);
        }
        if (r < 0)
                manager_notice(session->manager, LOG_ERR, session, NULL,
                               "Cannot see any more how much the ring costs: %s", strerror(-r));
        return 0;
}

static int begin_looking(Overhead *overhead) {
        uint64_t total;
        int r = buffer_meter_read(overhead->session->source->meter, &total);

        if (r < 0)
                return r;
        overhead_look(overhead, total);
        r = sd_event_add_time_relative(overhead->session->manager->event, &overhead->timer, CLOCK_MONOTONIC,
                                       LOOK_INTERVAL, LOOK_ACCURACY_FAR, on_time, overhead);
        /* What else there is to do comes first. */
        return r < 0 ? r : sd_event_source_set_priority(overhead->timer, SD_EVENT_PRIORITY_IDLE);
}

int overhead_new(Session *session, Overhead **ret) {
        CLEANUP(overhead_freep) Overhead *overhead = NULL;
        const Spec *spec = session->spec;
        int r;

        if (!spec_has_overhead_limit(spec)) {
                *ret = NULL;
                return 0;
        }
        overhead = calloc(1, sizeof(*overhead));
        if (!overhead)
                return -ENOMEM;
        overhead->session = session;
        overhead->policy = overhead_policy_from_string(spec->overhead_policy);
        overhead->guard = (OverheadGuard){
                .max_rate = spec->max_event_rate,
                .max_share = spec->max_cpu_share * PER_PERMILLE,
                .grace = spec->overhead_grace,
                .n_cpus = (unsigned) sysconf(_SC_NPROCESSORS_ONLN),
        };
        if (spec_is_ring(spec)) {
                r = begin_looking(overhead);
                if (r < 0)
                        return r;
        } else
                overhead_look(overhead, 0);
        *ret = STEAL_PTR(overhead);
        return 0;
}

void overhead_free(Overhead *overhead) {
        if (!overhead)
                return;
        sd_event_source_disable_unref(overhead->timer);
        free(overhead->hot_event);
        free(overhead);
}

int overhead_describe(const Overhead *overhead, struct json_object **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        const OverheadGuard *guard = &overhead->guard;
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "max_event_rate", guard->max_rate },
                { "max_cpu_share", guard->max_share / PER_PERMILLE },
                { "grace", guard->grace },
                { "rate", guard->rate },
                { "cpu_share", guard->share },
                { "event_cost", guard->cost },
                { "times_exceeded", overhead->n_exceeded },
        };
        int r = json_text_add_string(object, "policy", overhead_policy_to_string(overhead->policy));

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
                r = json_text_add_unsigned(object, numbers[i].key, numbers[i].value);
        if (r >= 0)
                r = json_text_add_boolean(object, "over", guard->state != OVERHEAD_WITHIN);
        if (r >= 0)
                r = json_text_add_string(object, "hot_event", overhead->hot_event);
        if (r >= 0 && overhead->hot_event)
                r = json_text_add_unsigned(object, "hot_rate", overhead->hot_rate);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(object);
        return 0;
}
