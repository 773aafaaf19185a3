/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "kernel/catalog.h"
#include "kernel/features.h"
#include "kernel/functions.h"
#include "kernel/tracer.h"
#include "kernel/tracing-dir.h"
#include "model/manager.h"

typedef struct QueryJob {
        Job job;
        ManagerQuery query;
        char *argument;
        size_t max;
        int r;
        Error error;
        char **list;
        char *text;
        FeatureReport report;
        ModelDone done;
        void *userdata;
} QueryJob;

static void query_job_free(MailboxItem *item) {
        QueryJob *job = (QueryJob *) item;

        features_free(job->report.features, job->report.n_features);
        strv_free(job->report.clocks);
        strv_free(job->report.options);
        strv_free(job->list);
        error_clear(&job->error);
        free(job->argument);
        free(job->text);
        free(job);
}

static int query_events(QueryJob *job) {
        CLEANUP(event_list_clear) EventList list = {};
        const char *pattern = *job->argument ? job->argument : "*:*";

        int r = event_pattern_check(pattern, &job->error);
        if (r >= 0)
                r = catalog_read(&job->error, &list);
        if (r >= 0)
                r = event_pattern_match(pattern, &list, &job->list);
        return r;
}

static int query_capabilities(QueryJob *job) {
        int r = features_probe(&job->error, &job->report.features, &job->report.n_features);

        /* Where nothing can be traced, that is the answer, and there are no clocks and options. */
        if (r >= 0 && features_require_tracing(NULL) < 0)
                return 0;
        if (r >= 0)
                r = tracing_dir_list_clocks(&job->report.clocks);
        if (r >= 0)
                r = tracing_dir_list_options(&job->report.options);
        return r;
}

static void query_run(Job *base) {
        QueryJob *job = (QueryJob *) base;

        if (job->query != QUERY_CAPABILITIES)
                job->r = features_require_tracing(&job->error);
        if (job->r >= 0)
                job->r = tracing_dir_ensure(&job->error);
        if (job->r < 0)
                return;
        switch (job->query) {
        case QUERY_EVENTS:
                job->r = query_events(job);
                break;
        case QUERY_DESCRIBE_EVENT:
                job->r = catalog_describe_event(job->argument, &job->error, &job->text);
                break;
        case QUERY_TRACERS:
                job->r = tracer_list(&job->error, &job->list);
                break;
        case QUERY_FUNCTIONS:
                job->r = functions_list(job->argument, job->max, &job->error, &job->list);
                break;
        case QUERY_CAPABILITIES:
                job->r = query_capabilities(job);
                break;
        }
        if (job->r < 0 && job->error.code == ERROR_NONE)
                (void) error_set_errno(&job->error, job->r, "Cannot read the tracing directory");
}

static void *query_result(QueryJob *job) {
        switch (job->query) {
        case QUERY_EVENTS:
        case QUERY_TRACERS:
        case QUERY_FUNCTIONS:
                return job->list;
        case QUERY_DESCRIBE_EVENT:
                return job->text;
        case QUERY_CAPABILITIES:
                return &job->report;
        }
        return NULL;
}

static void query_done(Job *base) {
        QueryJob *job = (QueryJob *) base;

        job->done(job->r, &job->error, job->r < 0 ? NULL : query_result(job), job->userdata);
        query_job_free(&job->job.item);
}

static void submit(Manager *manager, ManagerQuery query, const char *argument, size_t max, ModelDone done,
                   void *userdata) {
        QueryJob *job = calloc(1, sizeof(*job));

        if (job)
                *job = (QueryJob){
                        .job = { .item = { .free = query_job_free }, .run = query_run, .done = query_done },
                        .query = query,
                        .argument = strdup(argument ? argument : ""),
                        .max = max,
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || !job->argument) {
                if (job)
                        query_job_free(&job->job.item);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        worker_submit(manager->kernel_worker, &job->job);
}

void manager_query(Manager *manager, ManagerQuery query, const char *argument, ModelDone done, void *userdata) {
        submit(manager, query, argument, 0, done, userdata);
}

void manager_list_functions(Manager *manager, const char *pattern, size_t max, ModelDone done, void *userdata) {
        submit(manager, QUERY_FUNCTIONS, pattern, max, done, userdata);
}
