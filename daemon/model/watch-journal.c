/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watches of the journal: whatever comes into it wakes the daemon, and the worker looks whether it is what is waited
 * for. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "model/journal-reader.h"
#include "model/watch.h"

typedef struct JournalState {
        JournalReader *reader;
        sd_event_source *source; /* enabled for one look at a time */
} JournalState;

typedef struct JournalJob {
        Job job;
        Watch *watch;
        JournalReader *reader; /* made, or to be closed, or borrowed to be read */
        bool held;             /* what is found is dropped */
        int r;
        Error error;
        size_t n;
        char *last;
} JournalJob;

static void journal_job_free(MailboxItem *item) {
        JournalJob *job = (JournalJob *) item;

        error_clear(&job->error);
        free(job->last);
        free(job);
}

static void unmade_job_free(MailboxItem *item) {
        JournalJob *job = (JournalJob *) item;

        journal_reader_free(job->reader);
        journal_job_free(item);
}

static int submit(Watch *watch, const JournalJob *filled) {
        JournalJob *job = malloc(sizeof(*job));
        Worker *worker;
        int r = job ? watch_worker(watch, &worker) : -ENOMEM;

        if (r < 0) {
                free(job);
                return r;
        }
        *job = *filled;
        job->watch = watch;
        worker_submit(worker, &job->job);
        return 0;
}

static void tell_of_end(const Watch *watch, int r) {
        manager_notice(watch->manager, LOG_ERR, watch->session, NULL, "The watch %s has ended: %s", watch->spec.name,
                       strerror(-r));
}

/* Closing */

static void close_run(Job *base) {
        JournalJob *job = (JournalJob *) base;

        journal_reader_free(STEAL_PTR(job->reader));
}

static void close_done(Job *base) {
        JournalJob *job = (JournalJob *) base;

        watch_free(job->watch);
        journal_job_free(&job->job.item);
}

static void journal_stop(Watch *watch) {
        JournalState *state = watch->data;
        JournalReader *reader;

        if (!state || !state->reader) {
                watch_free(watch);
                return;
        }
        state->source = sd_event_source_disable_unref(state->source);
        reader = STEAL_PTR(state->reader);
        if (submit(watch,
                   &(JournalJob){
                           .job = { .item = { .free = unmade_job_free }, .run = close_run, .done = close_done },
                           .reader = reader }) >= 0)
                return;
        journal_reader_free(reader);
        watch_free(watch);
}

static void free_state(void *data) {
        JournalState *state = data;

        sd_event_source_disable_unref(state->source);
        journal_reader_free(state->reader);
        free(state);
}

/* Reading */

static void read_run(Job *base) {
        JournalJob *job = (JournalJob *) base;

        job->r = journal_reader_read(job->reader, &job->n, &job->last);
}

static void read_done(Job *base) {
        JournalJob *job = (JournalJob *) base;
        Watch *watch = job->watch;
        const JournalState *state = watch->data;

        if (watch->session && job->r < 0)
                tell_of_end(watch, job->r);
        else if (watch->session) {
                if (job->n > 0 && !job->held && watch_fire(watch))
                        watch_set_seen(watch, STEAL_PTR(job->last));
                if (!watch->timer)
                        (void) sd_event_source_set_enabled(state->source, SD_EVENT_ONESHOT);
        }
        journal_job_free(&job->job.item);
}

static void read_on(Watch *watch, bool held) {
        const JournalState *state = watch->data;
        int r = submit(
                watch,
                &(JournalJob){ .job = { .item = { .free = journal_job_free }, .run = read_run, .done = read_done },
                               .reader = state->reader,
                               .held = held });

        if (r < 0)
                tell_of_end(watch, r);
}

static int on_entry(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        read_on(userdata, false);
        return 0;
}

static void journal_arm(Watch *watch, bool held) {
        read_on(watch, held);
}

/* Opening */

static void open_run(Job *base) {
        JournalJob *job = (JournalJob *) base;

        job->r = journal_reader_new(job->watch->spec.what, &job->error, &job->reader);
        if (job->r < 0)
                error_prefix(&job->error, "watches: %s", job->watch->spec.name);
}

static void open_done(Job *base) {
        JournalJob *job = (JournalJob *) base;
        Watch *watch = job->watch;
        JournalState *state = watch->data;
        int r = job->r;

        if (r >= 0) {
                state->reader = STEAL_PTR(job->reader);
                r = sd_event_add_io(watch->manager->event, &state->source, journal_reader_fd(state->reader), EPOLLIN,
                                    on_entry, watch);
        }
        if (r >= 0)
                r = sd_event_source_set_enabled(state->source, SD_EVENT_OFF);
        watch_started(watch, r, &job->error);
        journal_job_free(&job->job.item);
}

static void journal_start(Watch *watch) {
        int r = -ENOMEM;

        watch->data = calloc(1, sizeof(JournalState));
        if (watch->data)
                r = submit(watch, &(JournalJob){ .job = { .item = { .free = unmade_job_free },
                                                          .run = open_run,
                                                          .done = open_done } });
        if (r < 0)
                watch_started(watch, r, NULL);
}

const WatchOps watch_journal_ops = {
        .start = journal_start,
        .arm = journal_arm,
        .stop = journal_stop,
        .free = free_state,
};
