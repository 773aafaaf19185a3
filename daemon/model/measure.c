/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/measure.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "capture/event-counter.h"
#include "core/strv.h"
#include "kernel/catalog.h"
#include "kernel/event-cost.h"
#include "kernel/instance.h"
#include "model/budgets.h"
#include "model/instance-setup.h"
#include "model/source.h"

#define SAMPLE_SLOT ((size_t) SETTINGS_MEASUREMENTS_MAX)
#define NO_SLOT SIZE_MAX

struct Measurement {
        Job job; /* first */
        LIST_ENTRY(Measurement) measurements;
        Manager *manager;
        size_t slot; /* of its worker */
        char id[MANAGER_ID_SIZE];
        char *client;
        uid_t owner;
        uint64_t memory; /* of the buffers, on all CPUs */
        int cancel_fd;   /* readable: it is to end */
        bool cancelled;
        ResolvedSpec *resolved;
        Instance *like; /* whose tasks it records, too; NULL: everybody's. Its removal is a later job of the worker's.
                         */
        uint64_t duration, cost;
        Lease *lease; /* NULL: of the spec, only events, filters, CPUs and processes are looked at */
        Instance *instance;
        ProbeSet *probes;
        EventRates *rates;
        int r;
        Error error;
        ModelDone done;
        void (*drop)(void *userdata); /* NULL: nothing would be left */
        void *userdata;
};

static void measurement_free(MailboxItem *item) {
        Measurement *measurement = (Measurement *) item;

        LIST_REMOVE(measurement, measurements);
        if (measurement->drop)
                measurement->drop(measurement->userdata);
        if (measurement->instance)
                (void) instance_destroy(measurement->instance);
        (void) probe_set_destroy(measurement->probes);
        closep(&measurement->cancel_fd);
        event_rates_free(measurement->rates);
        resolved_spec_free(measurement->resolved);
        error_clear(&measurement->error);
        free(measurement->client);
        free(measurement);
}

/* On the workers */

static int make_rates(Measurement *measurement) {
        const EventSelection *selection = &measurement->resolved->selection;
        CLEANUP(strv_freep) char **names = NULL;
        CLEANUP_FREE unsigned *ids = calloc(selection->n_choices + 1, sizeof(*ids));
        int r = ids ? event_selection_names(selection, &names) : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < selection->n_choices; i++)
                r = catalog_read_id(selection->choices[i].system, selection->choices[i].name, &measurement->error,
                                    &ids[i]);
        if (r >= 0)
                r = event_rates_new(names, ids, selection->n_choices, &measurement->rates);
        return r;
}

static int set_up_events(Measurement *measurement) {
        const ResolvedSpec *resolved = measurement->resolved;
        int r;

        r = instance_create(measurement->id, &measurement->error, &measurement->instance);
        if (r >= 0)
                r = instance_configure(measurement->instance, resolved->spec, &resolved->selection,
                                       &measurement->error);
        if (r >= 0 && measurement->like)
                r = instance_copy_tasks(measurement->instance, measurement->like, &measurement->error);
        if (r < 0 && measurement->instance)
                (void) instance_destroy(STEAL_PTR(measurement->instance));
        return r;
}

/* As a session's. Who comes into a unit or to a user while it is measured is not looked for. */
static int set_up_session(Measurement *measurement) {
        InstanceSetup setup = {
                .name = measurement->id,
                .holder = "an estimate",
                .lease = measurement->lease,
                .spec = measurement->resolved->spec,
                .selection = &measurement->resolved->selection,
                .owner = &measurement->resolved->owner,
        };
        int r = instance_setup(&setup, &measurement->error);

        measurement->instance = setup.instance;
        measurement->probes = setup.probes;
        task_group_free(setup.group);
        return r;
}

static void set_up_run(Job *base) {
        Measurement *measurement = (Measurement *) base;
        int r = 0;

        if (measurement->cost == 0)
                r = event_cost_measure(measurement->id, &measurement->error, &measurement->cost);
        if (r >= 0)
                r = make_rates(measurement);
        if (r >= 0)
                r = measurement->lease ? set_up_session(measurement) : set_up_events(measurement);
        measurement->r = r;
}

static void count_run(Job *base) {
        Measurement *measurement = (Measurement *) base;

        measurement->r = event_counter_run(measurement->instance, measurement->duration, measurement->cancel_fd,
                                           &measurement->error, measurement->rates);
}

static void tear_down_run(Job *base) {
        Measurement *measurement = (Measurement *) base;
        int r = instance_destroy(STEAL_PTR(measurement->instance));
        int removed = probe_set_destroy(STEAL_PTR(measurement->probes));

        if (r >= 0)
                r = removed;
        if (r < 0 && measurement->r >= 0)
                measurement->r =
                        error_set_errno(&measurement->error, r, "Cannot remove the instance of the measurement");
}

/* On the event loop */

static void answer(Measurement *measurement) {
        EventRates *rates = measurement->rates;

        if (measurement->r >= 0 && measurement->cancelled)
                measurement->r = error_set(&measurement->error, ERROR_CANCELLED, "The measurement was cancelled");
        if (measurement->r < 0 && measurement->error.code == ERROR_NONE)
                (void) error_set_errno(&measurement->error, measurement->r, "Cannot measure events");
        if (measurement->r >= 0) {
                rates->cost = measurement->cost;
                rates->n_cpus = (unsigned) sysconf(_SC_NPROCESSORS_ONLN);
                event_rates_finish(rates);
        }
        measurement->drop = NULL;
        measurement->done(measurement->r, &measurement->error, measurement->r < 0 ? NULL : rates,
                          measurement->userdata);
        measurement_free(&measurement->job.item);
}

static void tear_down_done(Job *base) {
        answer((Measurement *) base);
}

static void begin_tear_down(Measurement *measurement) {
        measurement->job.run = tear_down_run;
        measurement->job.done = tear_down_done;
        worker_submit(measurement->manager->kernel_worker, &measurement->job);
}

static void count_done(Job *base) {
        begin_tear_down((Measurement *) base);
}

static void set_up_done(Job *base) {
        Measurement *measurement = (Measurement *) base;
        Manager *manager = measurement->manager;

        if (measurement->cost > 0)
                manager->event_cost = measurement->cost;
        if (measurement->r < 0) {
                answer(measurement);
                return;
        }
        if (measurement->cancelled) {
                begin_tear_down(measurement);
                return;
        }
        measurement->job.run = count_run;
        measurement->job.done = count_done;
        worker_submit(manager->measure_workers[measurement->slot], &measurement->job);
}

static bool slot_is_taken(const Manager *manager, size_t slot) {
        const Measurement *measurement;

        LIST_FOREACH(measurement, &manager->measurements, measurements)
                if (measurement->slot == slot)
                        return true;
        return false;
}

/* The budget leaves one free; the last is not for those. */
static int find_worker(Manager *manager, bool is_sample, size_t *ret) {
        size_t slot = is_sample ? SAMPLE_SLOT : 0;

        while (slot < SAMPLE_SLOT && slot_is_taken(manager, slot))
                slot++;
        if (slot_is_taken(manager, slot) || (slot == SAMPLE_SLOT && !is_sample))
                return -EBUSY;
        if (!manager->measure_workers[slot]) {
                int r = worker_new(manager->event, &(WorkerConfig){ .name = "kt-measure", .drop_pending = true },
                                   &manager->measure_workers[slot]);

                if (r < 0)
                        return r;
        }
        *ret = slot;
        return 0;
}

static int check(Manager *manager, const ResolvedSpec *resolved, uint64_t memory, Error *error) {
        const uid_t owner = resolved->owner.uid;
        int r;

        if (manager->shutting_down)
                return error_set(error, ERROR_WRONG_STATE, "The daemon is shutting down");
        if (resolved->selection.n_choices > MEASURE_EVENTS_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "events: %zu are selected; at most %u can be measured at a time",
                                 resolved->selection.n_choices, MEASURE_EVENTS_MAX);
        r = manager_check_budget(manager, BUDGET_MEASUREMENTS, owner, 1, error);
        return r < 0 ? r : manager_check_budget(manager, BUDGET_BUFFER_MEMORY, owner, memory, error);
}

static int measurement_new(Manager *manager, ResolvedSpec **taken, const char *client, bool is_sample,
                           Measurement **ret) {
        Measurement *measurement = calloc(1, sizeof(*measurement));
        int r;

        if (!measurement)
                return -ENOMEM;
        *measurement = (Measurement){
                .job = { .item = { .free = measurement_free }, .run = set_up_run, .done = set_up_done },
                .manager = manager,
                .slot = NO_SLOT,
                .owner = (*taken)->owner.uid,
                .cost = manager->event_cost,
                .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                .client = client ? strdup(client) : NULL,
        };
        LIST_INSERT_HEAD(&manager->measurements, measurement, measurements);
        r = measurement->cancel_fd < 0 ? -errno : manager_make_id(measurement->id);
        if (r >= 0 && client && !measurement->client)
                r = -ENOMEM;
        if (r >= 0)
                r = find_worker(manager, is_sample, &measurement->slot);
        if (r < 0) {
                measurement_free(&measurement->job.item);
                return r;
        }
        measurement->resolved = STEAL_PTR(*taken);
        *ret = measurement;
        return 0;
}

static void begin(Manager *manager, ResolvedSpec *taken, const char *client, uint64_t duration, Lease *lease,
                  ModelDone done, void (*drop)(void *userdata), void *userdata) {
        const uint64_t n_cpus = (uint64_t) sysconf(_SC_NPROCESSORS_CONF);
        const uint64_t buffer_size = event_counter_buffer_size(n_cpus);
        CLEANUP(resolved_spec_freep) ResolvedSpec *resolved = taken;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Measurement *measurement;
        int r = check(manager, resolved, buffer_size * n_cpus, &error);

        if (r >= 0) {
                resolved->spec->buffer_size = buffer_size;
                r = measurement_new(manager, &resolved, client, false, &measurement);
                if (r < 0)
                        (void) error_set_errno(&error, r, "Cannot measure events");
        }
        if (r < 0) {
                done(r, &error, NULL, userdata);
                return;
        }
        measurement->memory = buffer_size * n_cpus;
        measurement->duration = duration;
        measurement->lease = lease;
        measurement->done = done;
        measurement->drop = drop;
        measurement->userdata = userdata;
        worker_submit(manager->kernel_worker, &measurement->job);
}

void manager_measure(Manager *manager, ResolvedSpec *taken, const char *client, uint64_t duration, ModelDone done,
                     void *userdata) {
        begin(manager, taken, client, duration, NULL, done, NULL, userdata);
}

typedef struct Estimate {
        SessionEstimate estimate;
        ModelDone done;
        void *userdata;
} Estimate;

static void on_estimated(int r, const Error *error, void *result, void *userdata) {
        CLEANUP_FREE Estimate *estimate = userdata;

        estimate->estimate.rates = result;
        estimate->done(r, error, r < 0 ? NULL : &estimate->estimate, estimate->userdata);
}

void manager_estimate(Manager *manager, ResolvedSpec *taken, const char *client, uint64_t duration, ModelDone done,
                      void *userdata) {
        const Spec *spec = taken->spec;
        Estimate *estimate = malloc(sizeof(*estimate));

        if (!estimate) {
                resolved_spec_free(taken);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        *estimate = (Estimate){
                .estimate = {
                        .is_ring = spec_is_ring(spec),
                        .buffer_size = spec->buffer_size,
                        .buffer_memory = source_memory(spec),
                        .max_event_rate = spec->max_event_rate,
                        .max_cpu_share = spec->max_cpu_share,
                },
                .done = done,
                .userdata = userdata,
        };
        begin(manager, taken, client, duration, manager->lease, on_estimated, free, estimate);
}

/* Everything that decides what is recorded, and nothing else. */
static int make_sample_spec(const Spec *like, Spec **ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP_FREE char *cpus = NULL;
        int r = spec_new(&spec);

        if (r >= 0 && like->cpus.n_cpus > 0)
                r = cpu_list_format(&like->cpus, &cpus);
        if (r >= 0 && cpus)
                r = spec_set(spec, SPEC_CPUS, &(SpecValue){ .has = SPEC_TYPE_STRING, .string = cpus }, NULL);
        /* Nobody, until the session's tasks are copied. */
        if (r >= 0 && spec_has_processes(like))
                r = spec_set(spec, SPEC_PIDS, &(SpecValue){ .has = SPEC_TYPE_NUMBERS }, NULL);
        if (r < 0)
                return r;
        spec->children = spec_has_processes(like) && spec_follows_children(like);
        *ret = STEAL_PTR(spec);
        return 0;
}

static int make_sample(const Session *session, ResolvedSpec **ret) {
        CLEANUP(resolved_spec_freep) ResolvedSpec *resolved = calloc(1, sizeof(*resolved));
        int r;

        if (!resolved)
                return -ENOMEM;
        r = make_sample_spec(session->spec, &resolved->spec);
        if (r >= 0)
                r = event_selection_copy(&session->selection, session->thinned, &resolved->selection);
        if (r >= 0)
                r = identity_copy(&session->identity, &resolved->owner);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(resolved);
        return 0;
}

int manager_sample(const Session *session, uint64_t duration, ModelDone done, void (*drop)(void *userdata),
                   void *userdata) {
        const uint64_t n_cpus = (uint64_t) sysconf(_SC_NPROCESSORS_CONF);
        CLEANUP(resolved_spec_freep) ResolvedSpec *resolved = NULL;
        Manager *manager = session->manager;
        Measurement *measurement;
        int r;

        if (manager->shutting_down)
                return -EBUSY;
        r = make_sample(session, &resolved);
        if (r < 0)
                return r;
        resolved->spec->buffer_size = event_counter_buffer_size(n_cpus);
        r = measurement_new(manager, &resolved, NULL, true, &measurement);
        if (r < 0)
                return r;
        measurement->memory = measurement->resolved->spec->buffer_size * n_cpus;
        measurement->duration = duration;
        measurement->done = done;
        measurement->userdata = userdata;
        measurement->drop = drop;
        if (spec_has_processes(session->spec))
                measurement->like = session->source->instance;
        worker_submit(manager->kernel_worker, &measurement->job);
        return 0;
}

/* What an event costs */

typedef struct CostJob {
        Job job; /* first */
        Manager *manager;
        char id[MANAGER_ID_SIZE];
        uint64_t cost;
        int r;
        Error error;
} CostJob;

static void cost_job_free(MailboxItem *item) {
        CostJob *job = (CostJob *) item;

        error_clear(&job->error);
        free(job);
}

static void cost_run(Job *base) {
        CostJob *job = (CostJob *) base;

        job->r = event_cost_measure(job->id, &job->error, &job->cost);
}

static void cost_done(Job *base) {
        CostJob *job = (CostJob *) base;

        if (job->r >= 0)
                job->manager->event_cost = job->cost;
        else
                manager_notice(
                        job->manager, LOG_WARNING, NULL, NULL,
                        "Cannot measure what an event costs, so that shares of the CPUs' time are not known: %s",
                        error_text(&job->error));
        cost_job_free(&job->job.item);
}

void manager_want_event_cost(Manager *manager) {
        CostJob *job;

        if (manager->event_cost > 0 || manager->event_cost_wanted)
                return;
        job = calloc(1, sizeof(*job));
        if (!job)
                return;
        *job = (CostJob){
                .job = { .item = { .free = cost_job_free }, .run = cost_run, .done = cost_done },
                .manager = manager,
        };
        if (manager_make_id(job->id) < 0) {
                free(job);
                return;
        }
        manager->event_cost_wanted = true;
        worker_submit(manager->kernel_worker, &job->job);
}

void measurements_cancel(Manager *manager, const char *client) {
        Measurement *measurement;

        LIST_FOREACH(measurement, &manager->measurements, measurements) {
                if (client && (!measurement->client || strcmp(measurement->client, client) != 0))
                        continue;
                measurement->cancelled = true;
                /* It can fail only when it is readable already. */
                (void) eventfd_write(measurement->cancel_fd, 1);
        }
}

/* What a worker has or had is freed with it, and takes its instance along. */
void measurements_free(Manager *manager) {
        for (size_t i = 0; i <= SAMPLE_SLOT; i++)
                worker_free(STEAL_PTR(manager->measure_workers[i]));
}

static QuotaUse count(const Manager *manager, uid_t uid, bool memory) {
        const Measurement *measurement;
        QuotaUse use = { 0 };

        LIST_FOREACH(measurement, &manager->measurements, measurements) {
                const uint64_t n = memory ? measurement->memory : measurement->slot != SAMPLE_SLOT;

                use.total += n;
                if (measurement->owner == uid)
                        use.of_user += n;
        }
        return use;
}

QuotaUse measurements_count(const Manager *manager, uid_t uid) {
        return count(manager, uid, false);
}

QuotaUse measurements_memory(const Manager *manager, uid_t uid) {
        return count(manager, uid, true);
}
