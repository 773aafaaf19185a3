/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Worker: a thread that runs what would block the event loop, in the order in which it was submitted.
 *
 * A job is embedded as the first member of a struct that holds its input and its result. run() is called
 * on the worker's thread and must touch nothing but the job; done() is called on the event loop, and
 * owns the job from then on.
 *
 * Life cycle: worker_new(); worker_submit(); worker_free() waits for the job that is running and, unless
 * drop_pending is set, for those behind it. Jobs whose done() was not called are freed with item.free.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "core/mailbox.h"

typedef struct Worker Worker;
typedef struct Job Job;

struct Job {
        MailboxItem item; /* first; item.free must be set */
        void (*run)(Job *job);
        void (*done)(Job *job);
};

typedef struct WorkerConfig {
        const char *name;  /* of the thread, at most 15 characters */
        bool idle;         /* SCHED_IDLE and idle I/O priority */
        bool drop_pending; /* jobs that wait when it ends are freed, not run */
} WorkerConfig;

int worker_new(sd_event *event, const WorkerConfig *config, Worker **ret);
void worker_free(Worker *worker);
DEFINE_POINTER_CLEANUP(Worker, worker_free);
void worker_submit(Worker *worker, Job *job);
