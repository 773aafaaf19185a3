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
        uint64_t duration, cost;
        Instance *instance;
        EventRates *rates;
        int r;
        Error error;
        ModelDone done;
        void *userdata;
};

static void measurement_free(MailboxItem *item) {
        Measurement *measurement = (Measurement *) item;

        LIST_REMOVE(measurement, measurements);
        if (measurement->instance)
                (void) instance_destroy(measurement->instance);
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

static void set_up_run(Job *base) {
        Measurement *measurement = (Measurement *) base;
        const ResolvedSpec *resolved = measurement->resolved;
        int r = 0;

        if (measurement->cost == 0)
                r = event_cost_measure(measurement->id, &measurement->error, &measurement->cost);
        if (r >= 0)
                r = make_rates(measurement);
        if (r >= 0)
                r = instance_create(measurement->id, &measurement->error, &measurement->instance);
        if (r >= 0)
                r = instance_configure(measurement->instance, resolved->spec, &resolved->selection,
                                       &measurement->error);
        if (r < 0 && measurement->instance)
                (void) instance_destroy(STEAL_PTR(measurement->instance));
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

/* The budget leaves one free. */
static int find_worker(Manager *manager, size_t *ret) {
        size_t slot = 0;

        while (slot < SETTINGS_MEASUREMENTS_MAX && slot_is_taken(manager, slot))
                slot++;
        if (slot == SETTINGS_MEASUREMENTS_MAX)
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

static int measurement_new(Manager *manager, ResolvedSpec **taken, const char *client, Measurement **ret) {
        Measurement *measurement = calloc(1, sizeof(*measurement));
        int r;

        if (!measurement)
                return -ENOMEM;
        *measurement = (Measurement){
                .job = { .item = { .free = measurement_free }, .run = set_up_run, .done = set_up_done },
                .manager = manager,
                .slot = SETTINGS_MEASUREMENTS_MAX,
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
                r = find_worker(manager, &measurement->slot);
        if (r < 0) {
                measurement_free(&measurement->job.item);
                return r;
        }
        measurement->resolved = STEAL_PTR(*taken);
        *ret = measurement;
        return 0;
}

void manager_measure(Manager *manager, ResolvedSpec *taken, const char *client, uint64_t duration, ModelDone done,
                     void *userdata) {
        const uint64_t n_cpus = (uint64_t) sysconf(_SC_NPROCESSORS_CONF);
        const uint64_t buffer_size = event_counter_buffer_size(n_cpus);
        CLEANUP(resolved_spec_freep) ResolvedSpec *resolved = taken;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Measurement *measurement;
        int r = check(manager, resolved, buffer_size * n_cpus, &error);

        if (r >= 0) {
                resolved->spec->buffer_size = buffer_size;
                r = measurement_new(manager, &resolved, client, &measurement);
                if (r < 0)
                        (void) error_set_errno(&error, r, "Cannot measure events");
        }
        if (r < 0) {
                done(r, &error, NULL, userdata);
                return;
        }
        measurement->memory = buffer_size * n_cpus;
        measurement->duration = duration;
        measurement->done = done;
        measurement->userdata = userdata;
        worker_submit(manager->kernel_worker, &measurement->job);
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
        for (size_t i = 0; i < SETTINGS_MEASUREMENTS_MAX; i++)
                worker_free(STEAL_PTR(manager->measure_workers[i]));
}

static QuotaUse count(const Manager *manager, uid_t uid, bool memory) {
        const Measurement *measurement;
        QuotaUse use = { 0 };

        LIST_FOREACH(measurement, &manager->measurements, measurements) {
                const uint64_t n = memory ? measurement->memory : 1;

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
