/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watches of pressure: the kernel tells, or what it has measured is looked at once a window. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "kernel/pressure.h"
#include "model/watch.h"

/* A unit that is started again has another control group. */
#define REOPEN_INTERVAL 2000000U /* usec */

typedef struct PressureState {
        Pressure *pressure;      /* NULL: the control group is gone, or not opened yet */
        sd_event_source *source; /* of its descriptor, when the kernel tells */
        sd_event_source *timer;  /* of the next look otherwise */
        unsigned n_jobs;         /* 0 or 1 that opens it */
        bool armed;
} PressureState;

typedef struct PressureJob {
        Job job;
        Watch *watch;
        Pressure *pressure;
        int r;
        Error error;
} PressureJob;

static void pressure_job_free(MailboxItem *item) {
        PressureJob *job = (PressureJob *) item;

        pressure_free(job->pressure);
        error_clear(&job->error);
        free(job);
}

static void close_pressure(PressureState *state) {
        state->source = sd_event_source_disable_unref(state->source);
        state->timer = sd_event_source_disable_unref(state->timer);
        pressure_free(STEAL_PTR(state->pressure));
}

static void tell_of_end(const Watch *watch, int r) {
        manager_notice(watch->manager, LOG_ERR, watch->session, NULL, "The watch %s has ended: %s", watch->spec.name,
                       strerror(-r));
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata);

static void set_timer(Watch *watch, uint64_t usec) {
        PressureState *state = watch->data;
        int r;

        if (state->timer) {
                r = sd_event_source_set_time_relative(state->timer, usec);
                if (r >= 0)
                        r = sd_event_source_set_enabled(state->timer, SD_EVENT_ONESHOT);
        } else
                r = sd_event_add_time_relative(watch->manager->event, &state->timer, CLOCK_MONOTONIC, usec, 0,
                                               on_time, watch);
        if (r < 0)
                tell_of_end(watch, r);
}

/* The control group is gone: the unit may come back. */
static void lose(Watch *watch) {
        close_pressure(watch->data);
        set_timer(watch, REOPEN_INTERVAL);
}

static void note(Watch *watch) {
        char *text;

        if (!watch_fire(watch))
                return;
        if (asprintf(&text, "%s of %s was stalled", watch->spec.unit ? watch->spec.unit : "the system",
                     watch->spec.what) >= 0)
                watch_set_seen(watch, text);
}

static int on_told(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Watch *watch = userdata;

        if (revents & EPOLLERR) {
                lose(watch);
                return 0;
        }
        note(watch);
        /* Until it is permitted again. */
        if (watch->timer) {
                PressureState *state = watch->data;

                state->armed = false;
                (void) sd_event_source_set_enabled(state->source, SD_EVENT_OFF);
        }
        return 0;
}

static void look(Watch *watch) {
        PressureState *state = watch->data;
        uint64_t stalled;
        int r = pressure_measure(state->pressure, &stalled);

        if (r < 0) {
                lose(watch);
                return;
        }
        if (stalled >= watch->spec.threshold)
                note(watch);
        if (watch->timer)
                state->armed = false;
        else
                set_timer(watch, watch->spec.window);
}

static void begin(Watch *watch) {
        PressureState *state = watch->data;
        uint64_t stalled;

        state->armed = true;
        if (!state->pressure)
                return; /* it is looked for */
        if (pressure_is_told(state->pressure)) {
                pressure_forget(state->pressure);
                (void) sd_event_source_set_enabled(state->source, SD_EVENT_ON);
                return;
        }
        (void) pressure_measure(state->pressure, &stalled);
        set_timer(watch, watch->spec.window);
}

static void pressure_arm(Watch *watch, bool held) {
        begin(watch);
}

/* Opening */

static int take(Watch *watch, PressureJob *job) {
        PressureState *state = watch->data;
        int r = job->r;

        if (r < 0)
                return r;
        state->pressure = STEAL_PTR(job->pressure);
        if (!pressure_is_told(state->pressure))
                return 0;
        r = sd_event_add_io(watch->manager->event, &state->source, pressure_fd(state->pressure), EPOLLPRI, on_told,
                            watch);
        return r < 0 ? r : sd_event_source_set_enabled(state->source, SD_EVENT_OFF);
}

static void open_run(Job *base) {
        PressureJob *job = (PressureJob *) base;

        job->r = pressure_open(&job->watch->spec, &job->error, &job->pressure);
        if (job->r < 0)
                error_prefix(&job->error, "watches: %s", job->watch->spec.name);
}

static void open_done(Job *base) {
        PressureJob *job = (PressureJob *) base;
        Watch *watch = job->watch;
        PressureState *state = watch->data;
        int r = take(watch, job);

        state->n_jobs--;
        if (watch->starting)
                watch_started(watch, r, &job->error);
        else if (!watch->session)
                watch_free(watch);
        else if (r < 0)
                set_timer(watch, REOPEN_INTERVAL);
        else if (state->armed)
                begin(watch);
        pressure_job_free(&job->job.item);
}

static int submit_open(Watch *watch) {
        PressureState *state = watch->data;
        PressureJob *job = calloc(1, sizeof(*job));
        Worker *worker;
        int r = job ? watch_worker(watch, &worker) : -ENOMEM;

        if (r < 0) {
                free(job);
                return r;
        }
        job->job = (Job){ .item = { .free = pressure_job_free }, .run = open_run, .done = open_done };
        job->watch = watch;
        state->n_jobs++;
        worker_submit(worker, &job->job);
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Watch *watch = userdata;
        const PressureState *state = watch->data;
        int r;

        if (state->pressure) {
                look(watch);
                return 0;
        }
        r = submit_open(watch);
        if (r < 0)
                tell_of_end(watch, r);
        return 0;
}

static void pressure_start(Watch *watch) {
        int r = -ENOMEM;

        watch->data = calloc(1, sizeof(PressureState));
        if (watch->data)
                r = submit_open(watch);
        if (r < 0)
                watch_started(watch, r, NULL);
}

static void pressure_stop(Watch *watch) {
        PressureState *state = watch->data;

        if (state)
                close_pressure(state);
        /* A job that is under way has the spec of the watch. */
        if (!state || state->n_jobs == 0)
                watch_free(watch);
}

static void free_state(void *data) {
        close_pressure(data);
        free(data);
}

const WatchOps watch_pressure_ops = {
        .start = pressure_start,
        .arm = pressure_arm,
        .stop = pressure_stop,
        .free = free_state,
};
