/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/parse.h"
#include "core/strv.h"
#include "core/tracer-kind.h"
#include "core/trigger.h"
#include "kernel/synthetic.h"
#include "kernel/trigger-set.h"
#include "model/budgets.h"
#include "model/instance-setup.h"
#include "model/manager.h"
#include "model/session-run.h"
#include "model/snapshot-list.h"
#include "model/source-group.h"
#include "model/source.h"

Source *source_find(Manager *manager, const char *key) {
        Source *source;

        if (!key)
                return NULL;
        LIST_FOREACH(source, &manager->sources, sources)
                if (source->key && strcmp(source->key, key) == 0 && source->state <= SOURCE_RUNNING)
                        return source;
        return NULL;
}

void source_free(Source *source) {
        if (!source)
                return;
        LIST_REMOVE(source, sources);
        sd_event_source_disable_unref(source->pump_source);
        pump_free(source->pump);
        buffer_meter_free(source->meter);
        instance_free(source->instance);
        probe_set_free(source->probes);
        task_group_free(source->group);
        sd_event_source_disable_unref(source->group_timer);
        free(source->key);
        free(source->name);
        free(source);
}

bool source_is_running(const Source *source) {
        return source->state == SOURCE_RUNNING;
}

/* Setting up */

typedef struct SetupJob {
        Job job;
        Source *source;
        Lease *lease;
        char *name, *holder;
        const EventSelection *selection; /* of the first sharer, which is not freed while it starts */
        const Identity *owner;           /* the same */
        Spec *spec;
        int r;
        Error error;
        Instance *instance;
        ProbeSet *probes;
        TaskGroup *group;
        BufferMeter *meter;
        Pump *pump;
} SetupJob;

static void setup_job_free(MailboxItem *item) {
        SetupJob *job = (SetupJob *) item;

        pump_free(job->pump);
        buffer_meter_free(job->meter);
        if (job->instance)
                (void) instance_destroy(job->instance);
        (void) probe_set_destroy(job->probes);
        task_group_free(job->group);
        spec_free(job->spec);
        error_clear(&job->error);
        free(job->name);
        free(job->holder);
        free(job);
}

/* Of what is recorded besides the events that were chosen. */
static int add_systems(const SetupJob *job, char ***systems) {
        CLEANUP_FREE char *prefix = NULL, *own = NULL;
        int r = triggers_add_systems(job->spec->triggers, systems);

        if (r < 0 || (!job->spec->sql && !job->spec->synthetic_events))
                return r;
        r = synthetic_prefix(job->instance, &prefix);
        if (r < 0)
                return r;
        if (asprintf(&own, SYNTHETIC_SYSTEM "/%s", prefix) < 0) {
                own = NULL;
                return -ENOMEM;
        }
        return strv_append(systems, own);
}

static int make_pump(SetupJob *job) {
        CLEANUP(strv_freep) char **systems = NULL, **events = NULL;
        int r = strv_copy(job->selection->systems, &systems);

        if (r >= 0 && job->probes)
                r = strv_append(&systems, probe_set_group(job->probes));
        if (r >= 0)
                r = add_systems(job, &systems);
        if (r >= 0 && instance_is_limited(job->instance))
                r = event_selection_names(job->selection, &events);
        if (r < 0)
                return error_set_errno(&job->error, r, "Cannot set up the pump");
        return pump_new(
                &(PumpConfig){
                        .instance = job->instance,
                        .systems = systems,
                        .events = events,
                        .symbols = spec_needs_symbols(job->spec),
                        .ring = spec_is_ring(job->spec),
                        .pauses = triggers_switch(job->spec->triggers),
                },
                &job->error, &job->pump);
}

static void setup_run(Job *base) {
        SetupJob *job = (SetupJob *) base;
        InstanceSetup setup = {
                .name = job->name,
                .holder = job->holder,
                .lease = job->lease,
                .spec = job->spec,
                .selection = job->selection,
                .owner = job->owner,
        };

        job->r = instance_setup(&setup, &job->error);
        if (job->r < 0)
                return;
        job->instance = setup.instance;
        job->probes = setup.probes;
        job->group = setup.group;
        if (spec_is_ring(job->spec) && spec_has_overhead_limit(job->spec))
                job->r = buffer_meter_new(job->instance, &job->error, &job->meter);
        if (job->r >= 0)
                job->r = make_pump(job);
        if (job->r < 0) {
                buffer_meter_free(STEAL_PTR(job->meter));
                (void) instance_destroy(STEAL_PTR(job->instance));
                (void) probe_set_destroy(STEAL_PTR(job->probes));
        }
}

/* Tearing down */

typedef struct TeardownJob {
        Job job;
        Source *source;
        Instance *instance;
        ProbeSet *probes;
        int r, probes_r;
} TeardownJob;

static void teardown_job_free(MailboxItem *item) {
        TeardownJob *job = (TeardownJob *) item;

        instance_free(job->instance);
        probe_set_free(job->probes);
        free(job);
}

static void teardown_run(Job *base) {
        TeardownJob *job = (TeardownJob *) base;

        job->r = instance_destroy(STEAL_PTR(job->instance));
        job->probes_r = probe_set_destroy(STEAL_PTR(job->probes));
}

static void source_gone(Source *source) {
        Manager *manager = source->manager;
        Session *last = source->last;

        source_free(source);
        if (last)
                session_source_gone(last);
        manager_check_shutdown(manager);
}

static void teardown_done(Job *base) {
        TeardownJob *job = (TeardownJob *) base;
        Source *source = job->source;

        if (job->r < 0)
                manager_notice(source->manager, LOG_WARNING, source->last, NULL,
                               "Failed to remove the kernel instance ktraced-%s: %s", source->name,
                               strerror(-job->r));
        if (job->probes_r < 0)
                manager_notice(source->manager, LOG_WARNING, source->last, NULL,
                               "Failed to remove the probes of ktraced-%s, for now: %s", source->name,
                               strerror(-job->probes_r));
        job->job.item.free(&job->job.item);
        source_gone(source);
}

static void source_tear_down(Source *source) {
        source->state = SOURCE_TEARING_DOWN;
        source->pump_source = sd_event_source_disable_unref(source->pump_source);
        source->group_timer = sd_event_source_disable_unref(source->group_timer);
        pump_free(STEAL_PTR(source->pump));
        buffer_meter_free(STEAL_PTR(source->meter));

        TeardownJob *job = calloc(1, sizeof(*job));
        if (!job) {
                /* Without memory for a job, blocking for the removal beats leaving the instance behind. */
                (void) instance_destroy(STEAL_PTR(source->instance));
                (void) probe_set_destroy(STEAL_PTR(source->probes));
                source_gone(source);
                return;
        }
        *job = (TeardownJob){
                .job = { .item = { .free = teardown_job_free }, .run = teardown_run, .done = teardown_done },
                .source = source,
                .instance = STEAL_PTR(source->instance),
                .probes = STEAL_PTR(source->probes),
        };
        worker_submit(source->manager->kernel_worker, &job->job);
}

static int source_drain(Source *source, const char *reason) {
        int r = pump_stop(source->pump, reason);

        if (r >= 0)
                source->state = SOURCE_DRAINING;
        return r;
}

/* Running */

static Session *source_find_sink(Source *source, uint64_t sink_id) {
        Session *session;

        LIST_FOREACH(session, &source->sharers, sharers)
                if (session->sink_id == sink_id)
                        return session;
        return NULL;
}

/* A ring has no sink that would have told the session to leave. */
static void dismiss_ring(Source *source) {
        Session *session = LIST_FIRST(&source->sharers);

        if (!session)
                return;
        LIST_REMOVE(session, sharers);
        session->source = NULL;
        source->last = session;
}

static void handle_sink_report(Source *source, PumpReport *report) {
        Session *session = source_find_sink(source, report->sink_id);
        Snapshot *snapshot;

        if (session) {
                session_handle_report(session, report);
                return;
        }
        LIST_FOREACH(session, &source->sharers, sharers) {
                snapshot = snapshot_find(session, report->sink_id);
                if (snapshot) {
                        snapshot_handle_report(snapshot, report);
                        return;
                }
        }
}

static void handle_ring_report(Source *source, PumpReport *report) {
        Session *session = LIST_FIRST(&source->sharers);

        if (!session)
                return;
        if (report->type == PUMP_MEASURED)
                session_ring_measured(session, report);
        else
                session_ring_resized(session, report);
}

static void tell_sharers_tracing_lost(Source *source) {
        Session *session, *next;

        for (session = LIST_FIRST(&source->sharers); session; session = next) {
                next = LIST_NEXT(session, sharers);
                session_tracing_lost(session);
        }
}

static int on_pump(sd_event_source *event_source, int fd, uint32_t revents, void *userdata) {
        Source *source = userdata;

        for (;;) {
                CLEANUP(pump_report_freep) PumpReport *report = pump_take_report(source->pump);

                if (!report)
                        return 0;
                if (report->type == PUMP_RING_READY) {
                        session_ring_ready(LIST_FIRST(&source->sharers), report->r, &report->error);
                        continue;
                }
                if (report->type == PUMP_MEASURED || report->type == PUMP_RESIZED) {
                        handle_ring_report(source, report);
                        continue;
                }
                if (report->type == PUMP_FINISHED) {
                        dismiss_ring(source);
                        source_tear_down(source);
                        return 0;
                }
                if (report->type == PUMP_TRACING_LOST) {
                        tell_sharers_tracing_lost(source);
                        continue;
                }

                handle_sink_report(source, report);
        }
}

static int source_begin(Source *source) {
        int r = sd_event_add_io(source->manager->event, &source->pump_source, pump_fd(source->pump), EPOLLIN, on_pump,
                                source);

        if (r >= 0 && source->group)
                r = source_watch_group(source);

        if (r >= 0)
                source->state = SOURCE_RUNNING;
        return r;
}

static void setup_done(Job *base) {
        SetupJob *job = (SetupJob *) base;
        Source *source = job->source;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = job->r;
        Session *session;

        error_move(&error, &job->error);
        if (r >= 0) {
                source->instance = STEAL_PTR(job->instance);
                source->probes = STEAL_PTR(job->probes);
                source->group = STEAL_PTR(job->group);
                source->meter = STEAL_PTR(job->meter);
                source->pump = STEAL_PTR(job->pump);
                r = source_begin(source);
                if (r < 0)
                        (void) error_set_errno(&error, r, "Cannot watch the pump");
        }
        job->job.item.free(&job->job.item);

        if (r >= 0) {
                struct Session *next;

                for (session = LIST_FIRST(&source->sharers); session; session = next) {
                        next = LIST_NEXT(session, sharers);
                        session_source_running(session);
                }
                return;
        }

        Manager *manager = source->manager;
        /* So that nobody who hears of the failure finds this source and joins it. */
        source->state = SOURCE_TEARING_DOWN;
        while ((session = LIST_FIRST(&source->sharers))) {
                LIST_REMOVE(session, sharers);
                session->source = NULL;
                session_source_failed(session, r, &error);
        }
        source_free(source);
        manager_check_shutdown(manager);
}

static uint64_t memory_for(const Source *source, uint64_t buffer_size) {
        return buffer_size * (uint64_t) sysconf(_SC_NPROCESSORS_CONF) * source->n_buffers;
}

/* Latency tracers have the kernel keep a second buffer, for the worst case so far. */
static unsigned count_buffers(const Spec *spec) {
        return tracer_kind(spec->tracer) == TRACER_LATENCY ? 2 : 1;
}

uint64_t source_memory(const Spec *spec) {
        return memory_for(&(Source){ .n_buffers = count_buffers(spec) }, spec->buffer_size);
}

int source_reserve(Source *source, uint64_t buffer_size, Error *error) {
        const uint64_t memory = memory_for(source, buffer_size);
        int r = 0;

        if (memory > source->buffer_memory)
                r = manager_check_budget(source->manager, BUDGET_BUFFER_MEMORY, source->owner,
                                         memory - source->buffer_memory, error);
        if (r >= 0)
                source->buffer_memory = memory;
        return r;
}

void source_settle(Source *source, uint64_t buffer_size) {
        source->buffer_memory = memory_for(source, buffer_size);
}

int source_new(Manager *manager, Session *session, char *key, Error *error, Source **ret) {
        const unsigned n_buffers = count_buffers(session->spec);
        uint64_t memory = source_memory(session->spec);
        SetupJob *job;

        int r = manager_check_budget(manager, BUDGET_BUFFER_MEMORY, session->owner, memory, error);
        if (r < 0)
                return r;

        Source *source = calloc(1, sizeof(*source));
        if (!source)
                return -ENOMEM;
        *source = (Source){
                .manager = manager, .owner = session->owner, .n_buffers = n_buffers, .buffer_memory = memory
        };
        LIST_INSERT_HEAD(&manager->sources, source, sources);

        job = calloc(1, sizeof(*job));
        source->name = strdup(session->id);
        if (job)
                *job = (SetupJob){
                        .job = { .item = { .free = setup_job_free }, .run = setup_run, .done = setup_done },
                        .source = source,
                        .lease = manager->lease,
                        .name = strdup(session->id),
                        .holder = strdup(session->name),
                        .selection = &session->selection,
                        .owner = &session->identity,
                };
        if (!job || !job->name || !job->holder || !source->name || spec_copy(session->spec, &job->spec) < 0) {
                if (job)
                        setup_job_free(&job->job.item);
                source_free(source);
                return -ENOMEM;
        }
        source->key = key;
        source_join(source, session);
        worker_submit(manager->kernel_worker, &job->job);
        *ret = source;
        return 0;
}

void source_join(Source *source, Session *session) {
        LIST_INSERT_HEAD(&source->sharers, session, sharers);
        session->source = source;
}

bool source_leave(Source *source, Session *session) {
        LIST_REMOVE(session, sharers);
        session->source = NULL;
        if (!LIST_EMPTY(&source->sharers))
                return false;

        source->last = session;
        if (source->state == SOURCE_RUNNING && source_drain(source, "stopped") < 0) {
                /* The pump cannot be told to stop for want of memory: its thread stays until the daemon ends. */
                manager_notice(source->manager, LOG_ERR, session, NULL, "Out of memory while stopping %s",
                               source->name);
                return false;
        }
        return true;
}

int source_end_sink(Source *source, Session *session, const char *reason) {
        bool alone = LIST_FIRST(&source->sharers) == session && !LIST_NEXT(session, sharers);

        /* Alone: the pump switches tracing off first, so that nothing is recorded after the request. */
        return alone ? source_drain(source, reason) : pump_remove_sink(source->pump, session->sink_id, reason);
}
