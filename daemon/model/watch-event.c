/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watches of events of the kernel: EventWatch tells that there was one, and is emptied on the worker. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "kernel/event-watch.h"
#include "model/watch.h"

typedef struct EventJob {
        Job job;
        Watch *watch;
        EventWatch *kernel; /* made, or to be removed, or borrowed to be emptied or renewed */
        int r;
        Error error;
        char *seen;
} EventJob;

typedef struct EventState {
        EventWatch *kernel;
        sd_event_source *source;  /* enabled for one event at a time */
        sd_event_source *renewal; /* of a latency */
        unsigned n_jobs;          /* that empty it */
        EventJob *removal;        /* made beforehand: behind jobs that read it, removing must not fail */
} EventState;

static void event_job_free(MailboxItem *item) {
        EventJob *job = (EventJob *) item;

        error_clear(&job->error);
        free(job->seen);
        free(job);
}

static void unmade_job_free(MailboxItem *item) {
        EventJob *job = (EventJob *) item;

        (void) event_watch_destroy(job->kernel);
        event_job_free(item);
}

static EventJob *event_job_new(Watch *watch, void (*run)(Job *job), void (*done)(Job *job),
                               void (*free_job)(MailboxItem *item)) {
        EventJob *job = calloc(1, sizeof(*job));

        if (!job)
                return NULL;
        job->job = (Job){ .item = { .free = free_job }, .run = run, .done = done };
        job->watch = watch;
        return job;
}

static int submit(Watch *watch, EventJob *job, EventWatch *kernel) {
        Worker *worker;
        int r = job ? watch_worker(watch, &worker) : -ENOMEM;

        if (r < 0) {
                if (job)
                        event_job_free(&job->job.item);
                return r;
        }
        job->kernel = kernel;
        worker_submit(worker, &job->job);
        return 0;
}

static int event_look(const WatchSpec *spec, Error *error, bool *tells_of_memory) {
        return event_watch_check(spec, error, tells_of_memory);
}

/* Removing */

static void remove_run(Job *base) {
        EventJob *job = (EventJob *) base;

        job->r = event_watch_destroy(STEAL_PTR(job->kernel));
}

static void remove_done(Job *base) {
        EventJob *job = (EventJob *) base;

        if (job->r < 0)
                manager_notice(job->watch->manager, LOG_WARNING, NULL, NULL,
                               "Failed to remove the kernel instance of the watch %s: %s", job->watch->spec.name,
                               strerror(-job->r));
        watch_free(job->watch);
        event_job_free(&job->job.item);
}

static void event_stop(Watch *watch) {
        EventState *state = watch->data;

        if (!state || !state->kernel) {
                watch_free(watch);
                return;
        }
        state->source = sd_event_source_disable_unref(state->source);
        state->renewal = sd_event_source_disable_unref(state->renewal);
        /* There is a worker: it made this. */
        (void) submit(watch, STEAL_PTR(state->removal), STEAL_PTR(state->kernel));
}

static void event_free(void *data) {
        EventState *state = data;

        sd_event_source_disable_unref(state->source);
        sd_event_source_disable_unref(state->renewal);
        (void) event_watch_destroy(state->kernel);
        if (state->removal)
                event_job_free(&state->removal->job.item);
        free(state);
}

/* Noticing */

static void tell_of_end(const Watch *watch, int r) {
        manager_notice(watch->manager, LOG_ERR, watch->session, NULL, "The watch %s has ended: %s", watch->spec.name,
                       strerror(-r));
}

static void enable(Watch *watch) {
        EventState *state = watch->data;

        if (sd_event_source_set_enabled(state->source, SD_EVENT_ONESHOT) < 0)
                manager_notice(watch->manager, LOG_ERR, watch->session, NULL, "The watch %s has ended",
                               watch->spec.name);
}

static void drain_run(Job *base) {
        EventJob *job = (EventJob *) base;

        job->r = event_watch_drain(job->kernel, &job->seen);
}

static void drain_done(Job *base) {
        EventJob *job = (EventJob *) base;
        Watch *watch = job->watch;
        EventState *state = watch->data;

        state->n_jobs--;
        if (watch->session && job->r < 0)
                tell_of_end(watch, job->r);
        else if (watch->session) {
                watch_set_seen(watch, STEAL_PTR(job->seen));
                /* The last of them, and it is permitted: what comes from now on counts. */
                if (state->n_jobs == 0 && !watch->timer)
                        enable(watch);
        }
        event_job_free(&job->job.item);
}

static void drain(Watch *watch) {
        EventState *state = watch->data;

        int r = submit(watch, event_job_new(watch, drain_run, drain_done, event_job_free), state->kernel);

        if (r >= 0)
                state->n_jobs++;
        else
                tell_of_end(watch, r);
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Watch *watch = userdata;

        (void) watch_fire(watch);
        drain(watch);
        return 0;
}

/* Renewing, so that what comes later is noticed, too */

static void set_renewal(Watch *watch);

static void renew_run(Job *base) {
        EventJob *job = (EventJob *) base;

        job->r = event_watch_renew(job->kernel);
}

static void renew_done(Job *base) {
        EventJob *job = (EventJob *) base;
        Watch *watch = job->watch;

        if (watch->session && job->r < 0)
                tell_of_end(watch, job->r);
        else if (watch->session)
                set_renewal(watch);
        event_job_free(&job->job.item);
}

static int on_renewal(sd_event_source *source, uint64_t usec, void *userdata) {
        Watch *watch = userdata;
        const EventState *state = watch->data;
        int r = submit(watch, event_job_new(watch, renew_run, renew_done, event_job_free), state->kernel);

        if (r < 0)
                tell_of_end(watch, r);
        return 0;
}

static void set_renewal(Watch *watch) {
        uint64_t usec = watch->manager->settings.latency_renewal;
        EventState *state = watch->data;
        int r;

        if (state->renewal) {
                r = sd_event_source_set_time_relative(state->renewal, usec);
                if (r >= 0)
                        r = sd_event_source_set_enabled(state->renewal, SD_EVENT_ONESHOT);
        } else
                r = sd_event_add_time_relative(watch->manager->event, &state->renewal, CLOCK_MONOTONIC, usec,
                                               usec / 4, on_renewal, watch);
        if (r < 0)
                tell_of_end(watch, r);
}

static void event_arm(Watch *watch, bool held) {
        const EventState *state = watch->data;

        if (watch->spec.kind == WATCH_LATENCY && !state->renewal)
                set_renewal(watch);
        if (held)
                drain(watch);
        else
                enable(watch);
}

/* Making */

static void make_run(Job *base) {
        EventJob *job = (EventJob *) base;

        job->r = event_watch_new(job->watch->id, &job->watch->spec, &job->error, &job->kernel);
}

static void make_done(Job *base) {
        EventJob *job = (EventJob *) base;
        Watch *watch = job->watch;
        EventState *state = watch->data;
        int r = job->r;

        if (r >= 0) {
                state->kernel = STEAL_PTR(job->kernel);
                r = sd_event_add_io(watch->manager->event, &state->source, event_watch_fd(state->kernel), EPOLLIN,
                                    on_event, watch);
        }
        /* Before anything else that happens at the time: a snapshot is the better, the earlier it begins. */
        if (r >= 0)
                r = sd_event_source_set_priority(state->source, SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_source_set_enabled(state->source, SD_EVENT_OFF);
        watch_started(watch, r, &job->error);
        event_job_free(&job->job.item);
}

static void event_start(Watch *watch) {
        EventState *state = calloc(1, sizeof(*state));
        int r = -ENOMEM;

        watch->data = state;
        if (state)
                state->removal = event_job_new(watch, remove_run, remove_done, unmade_job_free);
        if (state && state->removal)
                r = submit(watch, event_job_new(watch, make_run, make_done, unmade_job_free), NULL);
        if (r < 0)
                watch_started(watch, r, NULL);
}

const WatchOps watch_event_ops = {
        .look = event_look,
        .start = event_start,
        .arm = event_arm,
        .stop = event_stop,
        .free = event_free,
};
