/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/histogram-reader.h"

#include <errno.h>
#include <string.h>

#include "core/histogram.h"
#include "core/json-text.h"
#include "kernel/histogram-set.h"
#include "model/manager.h"
#include "model/source.h"

/* The session, its source and what they have outlive the job: the removal of the instance queues behind it. */
typedef struct HistogramJob {
        Job job;
        Instance *instance;
        const Spec *spec;
        const char *group;
        char *event;
        char *json;
        int r;
        Error error;
        ModelDone done;
        void *userdata;
} HistogramJob;

static void histogram_job_free(MailboxItem *item) {
        HistogramJob *job = (HistogramJob *) item;

        error_clear(&job->error);
        free(job->event);
        free(job->json);
        free(job);
}

static void histogram_run(Job *base) {
        HistogramJob *job = (HistogramJob *) base;
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;

        job->r = histogram_set_read(job->instance, job->spec, job->group, job->event, &job->error, &text);
        if (job->r < 0)
                return;
        job->r = histogram_text_to_json(text, &object);
        if (job->r >= 0)
                job->r = json_text_format(object, false, &job->json);
        if (job->r < 0)
                (void) error_set_errno(&job->error, job->r, "Cannot read the kernel's histogram");
}

static void histogram_done(Job *base) {
        HistogramJob *job = (HistogramJob *) base;

        job->done(job->r, &job->error, job->r < 0 ? NULL : job->json, job->userdata);
        histogram_job_free(&job->job.item);
}

void session_read_histogram(Session *session, const char *event, ModelDone done, void *userdata) {
        HistogramJob *job;

        if (session->state != SESSION_ACTIVE) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = error_set(&error, ERROR_WRONG_STATE, "Cannot read a histogram of session '%s': it is %s",
                                  session->name, session_state_to_string(session->state));

                done(r, &error, NULL, userdata);
                return;
        }
        job = calloc(1, sizeof(*job));
        if (job)
                *job = (HistogramJob){
                        .job = { .item = { .free = histogram_job_free },
                                 .run = histogram_run,
                                 .done = histogram_done },
                        .instance = session->source->instance,
                        .spec = session->spec,
                        .group = session->source->probes ? probe_set_group(session->source->probes) : NULL,
                        .event = strdup(event),
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || !job->event) {
                if (job)
                        histogram_job_free(&job->job.item);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        worker_submit(session->manager->kernel_worker, &job->job);
}
