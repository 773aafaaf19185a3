/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "model/worker.h"

struct Worker {
        Mailbox *jobs;    /* taken by the thread */
        Mailbox *results; /* taken by the event loop */
        sd_event_source *results_source;
        pthread_t thread;
        bool started;
        bool idle;
        bool drop_pending;
        atomic_bool ending;
        char name[16];
        MailboxItem stop; /* posted to end the thread */
};

static void be_idle(void) {
        /* Best effort: without these the work is done all the same, only less politely. */
        (void) sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ .sched_priority = 0 });
        (void) syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

static void *worker_thread(void *argument) {
        Worker *worker = argument;

        (void) pthread_setname_np(pthread_self(), worker->name);
        if (worker->idle)
                be_idle();

        for (;;) {
                MailboxItem *item = mailbox_take(worker->jobs);

                if (!item) {
                        (void) poll(&(struct pollfd){ .fd = mailbox_fd(worker->jobs), .events = POLLIN }, 1, -1);
                        continue;
                }
                if (item == &worker->stop)
                        return NULL;

                Job *job = (Job *) item;

                if (!worker->drop_pending || !atomic_load(&worker->ending))
                        job->run(job);
                mailbox_post(worker->results, &job->item);
        }
}

static int on_results(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Worker *worker = userdata;
        MailboxItem *item;

        while ((item = mailbox_take(worker->results))) {
                Job *job = (Job *) item;

                job->done(job);
        }
        return 0;
}

static int start_thread(Worker *worker) {
        sigset_t all, saved;

        /* Signals are the event loop's. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &saved);
        int r = pthread_create(&worker->thread, NULL, worker_thread, worker);
        (void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
        if (r != 0)
                return -r;
        worker->started = true;
        return 0;
}

int worker_new(sd_event *event, const WorkerConfig *config, Worker **ret) {
        CLEANUP(worker_freep) Worker *worker = calloc(1, sizeof(*worker));

        if (!worker)
                return -ENOMEM;
        worker->idle = config->idle;
        worker->drop_pending = config->drop_pending;
        (void) snprintf(worker->name, sizeof(worker->name), "%s", config->name);

        int r = mailbox_new(&worker->jobs);
        if (r < 0)
                return r;
        r = mailbox_new(&worker->results);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &worker->results_source, mailbox_fd(worker->results), EPOLLIN, on_results, worker);
        if (r < 0)
                return r;
        r = start_thread(worker);
        if (r < 0)
                return r;

        *ret = STEAL_PTR(worker);
        return 0;
}

void worker_free(Worker *worker) {
        if (!worker)
                return;
        if (worker->started) {
                atomic_store(&worker->ending, true);
                mailbox_post(worker->jobs, &worker->stop);
                (void) pthread_join(worker->thread, NULL);
        }
        sd_event_source_disable_unref(worker->results_source);
        mailbox_free(worker->results);
        mailbox_free(worker->jobs);
        free(worker);
}

void worker_submit(Worker *worker, Job *job) {
        mailbox_post(worker->jobs, &job->item);
}
