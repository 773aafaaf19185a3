/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/source-group.h"

#include <errno.h>

#include "ktraced/clock.h"
#include "model/manager.h"

/* Neither goes before the job: the teardown queues behind it on the same worker. */
typedef struct GroupJob {
        Job job;
        Source *source;
        TaskGroup *group;
        Instance *instance;
        uint64_t cost; /* usec of a CPU */
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

        uint64_t before = clock_usec(CLOCK_THREAD_CPUTIME_ID);

        job->r = task_group_update(job->group, job->instance, &job->error);
        job->cost = clock_usec(CLOCK_THREAD_CPUTIME_ID) - before;
}

static void group_done(Job *base) {
        GroupJob *job = (GroupJob *) base;
        Source *source = job->source;
        uint64_t interval = job->cost * SOURCE_GROUP_SHARE;

        if (interval < SOURCE_GROUP_INTERVAL)
                interval = SOURCE_GROUP_INTERVAL;
        if (job->r < 0)
                manager_notice(source->manager, LOG_WARNING, LIST_FIRST(&source->sharers), NULL,
                               "Cannot follow the processes: %s", error_text(&job->error));
        /* The next look comes so long after this one, however long this one took. */
        if (source->group_timer && (sd_event_source_set_time_relative(source->group_timer, interval) < 0 ||
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
