/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/source-group.h"

#include <errno.h>

#include "model/manager.h"

/* The kernel follows what the tasks that it knows start, not those that began while we looked. */
#define LIST_ATTEMPTS 5U

int source_add_group(TaskGroup *group, Instance *instance, Error *error) {
        for (unsigned attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
                CLEANUP_FREE pid_t *tasks = NULL;
                size_t n_tasks;
                int r;

                r = task_group_take_new(group, &tasks, &n_tasks);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot list the processes to trace");
                if (n_tasks == 0)
                        return 0;
                r = instance_add_tasks(instance, tasks, n_tasks, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Neither goes before the job: the teardown queues behind it on the same worker. */
typedef struct GroupJob {
        Job job;
        Source *source;
        TaskGroup *group;
        Instance *instance;
        int r;
        Error error;
} GroupJob;

static void group_job_free(MailboxItem *item) {
        GroupJob *job = (GroupJob *) item;

        error_clear(&job->error);
        free(job);
}

static void group_run(Job *base) {
        GroupJob *job = (GroupJob *) base;

        job->r = source_add_group(job->group, job->instance, &job->error);
}

static void group_done(Job *base) {
        GroupJob *job = (GroupJob *) base;
        Source *source = job->source;

        if (job->r < 0)
                manager_notice(source->manager, LOG_WARNING, LIST_FIRST(&source->sharers), NULL,
                               "Cannot follow the processes: %s", error_text(&job->error));
        /* The next look comes so long after this one, however long this one took. */
        if (source->group_timer &&
            (sd_event_source_set_time_relative(source->group_timer, SOURCE_GROUP_INTERVAL) < 0 ||
             sd_event_source_set_enabled(source->group_timer, SD_EVENT_ONESHOT) < 0))
                manager_notice(source->manager, LOG_ERR, LIST_FIRST(&source->sharers), NULL,
                               "Cannot follow the processes any more");
        group_job_free(&job->job.item);
}

static int on_time(sd_event_source *event_source, uint64_t usec, void *userdata) {
        Source *source = userdata;
        GroupJob *job = calloc(1, sizeof(*job));

        if (!job)
                return sd_event_source_set_time_relative(event_source, SOURCE_GROUP_INTERVAL);
        *job = (GroupJob){
                .job = { .item = { .free = group_job_free }, .run = group_run, .done = group_done },
                .source = source,
                .group = source->group,
                .instance = source->instance,
        };
        worker_submit(source->manager->kernel_worker, &job->job);
        return 0;
}

int source_watch_group(Source *source) {
        return sd_event_add_time_relative(source->manager->event, &source->group_timer, CLOCK_MONOTONIC,
                                          SOURCE_GROUP_INTERVAL, 0, on_time, source);
}
