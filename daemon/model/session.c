/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/spec-json.h"
#include "core/strv.h"
#include "kernel/process.h"
#include "model/budgets.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/marker.h"
#include "model/overhead.h"
#include "model/ring-keeper.h"
#include "model/session-run.h"
#include "model/snapshot-list.h"
#include "model/source.h"

/* An operation on the session that is answered later. */
struct SessionWaiter {
        SessionWaiter *next;
        WaitFor what;
        ModelDone done;
        void *userdata;
};

int session_wait(Session *session, WaitFor what, ModelDone done, void *userdata) {
        SessionWaiter *waiter = malloc(sizeof(*waiter));

        if (!waiter) {
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return -ENOMEM;
        }
        *waiter = (SessionWaiter){ .next = session->waiters, .what = what, .done = done, .userdata = userdata };
        session->waiters = waiter;
        return 0;
}

bool session_is_waited_for(const Session *session, WaitFor what) {
        for (const SessionWaiter *waiter = session->waiters; waiter; waiter = waiter->next)
                if (waiter->what == what)
                        return true;
        return false;
}

void session_answer(Session *session, WaitFor what, int r, const Error *error, void *result) {
        SessionWaiter *matching = NULL, **slot = &session->waiters;

        /* Taken off the session first: an answer may free it. */
        while (*slot) {
                SessionWaiter *waiter = *slot;

                if (waiter->what != what) {
                        slot = &waiter->next;
                        continue;
                }
                *slot = waiter->next;
                waiter->next = matching;
                matching = waiter;
        }
        while (matching) {
                SessionWaiter *waiter = matching;

                matching = waiter->next;
                waiter->done(r, error, result, waiter->userdata);
                free(waiter);
        }
}

void session_answer_oldest(Session *session, WaitFor what, int r, const Error *error) {
        SessionWaiter **oldest = NULL;

        /* The newest stands first. */
        for (SessionWaiter **slot = &session->waiters; *slot; slot = &(*slot)->next)
                if ((*slot)->what == what)
                        oldest = slot;
        if (!oldest)
                return;

        SessionWaiter *waiter = *oldest;
        *oldest = waiter->next;
        waiter->done(r, error, NULL, waiter->userdata);
        free(waiter);
}

void session_answer_all(Session *session, const Error *error) {
        CLEANUP(error_clear) Error over = ERROR_INIT;
        SessionWaiter *waiters = STEAL_PTR(session->waiters);
        bool removing = session->removing;

        if (error->code == ERROR_NONE)
                (void) error_set(&over, ERROR_CANCELLED, "The session was stopped");
        else
                (void) error_set(&over, error->code, "%s", error_text(error));

        /* From here on session_remove() leaves the freeing to us. */
        for (SessionWaiter *waiter = waiters; waiter; waiter = waiter->next)
                removing |= waiter->what == WAIT_REMOVE;
        session->removing = removing;
        Session *to_free = removing ? session : NULL;

        for (SessionWaiter *waiter = waiters; waiter; waiter = waiter->next)
                if (waiter->what != WAIT_REMOVE && waiter->what != WAIT_STOP)
                        waiter->done(-error_code_to_errno(over.code), &over, NULL, waiter->userdata);
        session_free(to_free);
        while (waiters) {
                SessionWaiter *waiter = waiters;

                waiters = waiter->next;
                if (waiter->what == WAIT_REMOVE || waiter->what == WAIT_STOP)
                        waiter->done(0, NULL, NULL, waiter->userdata);
                free(waiter);
        }
}

void session_free(Session *session) {
        if (!session)
                return;

        Manager *manager = session->manager;
        if (session->capture && session->capture->metadata->external)
                capture_free(session->capture);
        LIST_REMOVE(session, sessions);
        if (manager->observer->session_removed)
                manager->observer->session_removed(session, manager->observer_userdata);

        while (session->waiters) {
                SessionWaiter *waiter = session->waiters;

                session->waiters = waiter->next;
                free(waiter);
        }
        session_close_markers(session);
        ring_keeper_free(session->ring_keeper);
        overhead_free(session->overhead);
        strv_free(session->thinned);
        snapshots_drop(session);
        if (session->source)
                LIST_REMOVE(session, sharers);
        sd_event_source_disable_unref(session->duration_timer);
        metadata_free(session->run_metadata);
        free(session->run_capture_id);
        closep(&session->run_dir_fd);
        error_clear(&session->run_error);
        session_reload_clear(session);
        spec_free(session->asked);
        event_selection_clear(&session->selection);
        strv_free(session->absent_watches);
        identity_clear(&session->identity);
        spec_free(session->spec);
        free(session->losses);
        free(session->end_reason);
        free(session->reason);
        free(session->client);
        free(session->name);
        free(session->id);
        free(session);
}

void session_set_state(Session *session, SessionState state) {
        Manager *manager = session->manager;
        bool changed = session->state != state;

        session->state = state;
        if (manager->observer->session_changed)
                manager->observer->session_changed(session, changed, manager->observer_userdata);
}

void session_set_reason(Session *session, const char *reason) {
        char *copy = reason ? strdup(reason) : NULL;

        if (reason && !copy)
                return;
        free(session->reason);
        session->reason = copy;
}

static bool session_runs(const Session *session) {
        return session->state == SESSION_STARTING || session->state == SESSION_ACTIVE ||
               session->state == SESSION_STOPPING;
}

static void refuse_state(Session *session, const char *operation, ModelDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        int r = error_set(&error, ERROR_WRONG_STATE, "Cannot %s session '%s': it is %s", operation, session->name,
                          session_state_to_string(session->state));
        done(r, &error, NULL, userdata);
}

void session_start(Session *session, ModelDone done, void *userdata) {
        if (session->removing || session->manager->shutting_down ||
            !session_state_may_become(session->state, SESSION_STARTING)) {
                refuse_state(session, "start", done, userdata);
                return;
        }

        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = manager_check_run(session->manager, session, session->spec, &error);

        if (r < 0) {
                done(r, &error, NULL, userdata);
                return;
        }
        if (session_wait(session, WAIT_START, done, userdata) >= 0)
                session_run(session);
}

void session_stop(Session *session, const char *reason, ModelDone done, void *userdata) {
        if (!session_runs(session)) {
                done(0, NULL, NULL, userdata);
                return;
        }
        if (session_wait(session, WAIT_STOP, done, userdata) >= 0)
                session_end(session, reason);
}

void session_remove(Session *session, const char *reason, ModelDone done, void *userdata) {
        if (session_runs(session)) {
                /* Also when nobody can be told of it for want of memory. */
                session->removing = true;
                (void) session_wait(session, WAIT_REMOVE, done, userdata);
                session_end(session, reason);
                return;
        }
        /* When it is being removed already, session_answer_all() is about to free it. */
        if (!session->removing)
                session_free(session);
        done(0, NULL, NULL, userdata);
}

/* 1 when it is one, which was answered. */
static bool refuse_ring(Session *session, const char *operation, ModelDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        if (!spec_is_ring(session->spec))
                return false;
        r = error_set(&error, ERROR_WRONG_STATE,
                      "Cannot %s session '%s': it is a ring, which writes in snapshots only", operation,
                      session->name);
        done(r, &error, NULL, userdata);
        return true;
}

void session_rotate(Session *session, ModelDone done, void *userdata) {
        if (session->state != SESSION_ACTIVE) {
                refuse_state(session, "rotate", done, userdata);
                return;
        }
        if (refuse_ring(session, "rotate", done, userdata))
                return;
        if (session->spec->output >= 0) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = error_set(&error, ERROR_WRONG_STATE,
                                  "Cannot rotate session '%s': it writes into one file of its client's",
                                  session->name);

                done(r, &error, NULL, userdata);
                return;
        }
        if (session_wait(session, WAIT_ROTATE, done, userdata) < 0)
                return;
        if (pump_rotate(session->source->pump, session->sink_id) < 0)
                session_answer(session, WAIT_ROTATE, -ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL);
}

void session_clear(Session *session, ModelDone done, void *userdata) {
        if (session->state != SESSION_ACTIVE) {
                refuse_state(session, "clear", done, userdata);
                return;
        }
        if (refuse_ring(session, "clear", done, userdata))
                return;
        if (session_wait(session, WAIT_CLEAR, done, userdata) < 0)
                return;
        if (pump_clear(session->source->pump, session->sink_id) < 0)
                session_answer(session, WAIT_CLEAR, -ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL);
}

void session_measure(Session *session, ModelDone done, void *userdata) {
        overhead_refresh(session->overhead, session->events + session->lost);
        if (session->state != SESSION_ACTIVE || !spec_is_ring(session->spec) || snapshots_are_taken(session)) {
                done(0, NULL, NULL, userdata);
                return;
        }
        if (session_wait(session, WAIT_MEASURE, done, userdata) < 0)
                return;
        if (pump_measure(session->source->pump, 0) < 0)
                session_answer(session, WAIT_MEASURE, -ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL);
}

/* Adding a process */

typedef struct AddJob {
        Job job;
        Instance *instance; /* borrowed: its removal queues behind this job */
        int pidfd;
        bool children;
        int r;
        Error error;
        ModelDone done;
        void *userdata;
} AddJob;

static void add_job_free(MailboxItem *item) {
        AddJob *job = (AddJob *) item;

        closep(&job->pidfd);
        error_clear(&job->error);
        free(job);
}

static void add_run(Job *base) {
        AddJob *job = (AddJob *) base;
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks = 0;
        pid_t pid;

        if (instance_is_limited(job->instance)) {
                job->r = instance_add_own_process(job->instance, job->pidfd, &job->error);
                return;
        }
        job->r = process_from_pidfd(job->pidfd, &job->error, &pid);
        if (job->r >= 0)
                job->r = process_list_tasks(pid, job->children, &job->error, &tasks, &n_tasks);
        /* Still there, so that the number has not passed to another process meanwhile. */
        if (job->r >= 0)
                job->r = process_from_pidfd(job->pidfd, &job->error, &pid);
        if (job->r >= 0)
                job->r = instance_add_tasks(job->instance, tasks, n_tasks, &job->error);
}

static void add_done(Job *base) {
        AddJob *job = (AddJob *) base;

        job->done(job->r, &job->error, NULL, job->userdata);
        job->job.item.free(&job->job.item);
}

void session_add_process(Session *session, int pidfd, ModelDone done, void *userdata) {
        if (session->state != SESSION_ACTIVE) {
                refuse_state(session, "add a process to", done, userdata);
                return;
        }
        if (!spec_has_processes(session->spec)) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = error_set(&error, ERROR_WRONG_STATE, "Session '%s' traces all processes", session->name);

                done(r, &error, NULL, userdata);
                return;
        }
        /* What was authorized are those of a unit or user, and whoever asked for that is the owner now. */
        if (spec_has_group(session->spec)) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = error_set(&error, ERROR_WRONG_STATE, "Session '%s' traces the processes of a unit or user",
                                  session->name);

                done(r, &error, NULL, userdata);
                return;
        }

        AddJob *job = calloc(1, sizeof(*job));
        if (!job) {
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        *job = (AddJob){
                .job = { .item = { .free = add_job_free }, .run = add_run, .done = add_done },
                .instance = session->source->instance,
                .pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3),
                .children = session->spec->children,
                .done = done,
                .userdata = userdata,
        };
        if (job->pidfd < 0) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = error_set_errno(&error, -errno, "Cannot keep the pidfd");

                add_job_free(&job->job.item);
                done(r, &error, NULL, userdata);
                return;
        }
        worker_submit(session->manager->kernel_worker, &job->job);
}
