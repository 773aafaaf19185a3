/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Trying probes: declared in manager.h. They are defined and enabled in an instance that records nothing, since the
 * kernel looks at some things only then, and removed again. */

#include <errno.h>
#include <string.h>

#include "kernel/instance.h"
#include "kernel/probe-set.h"
#include "model/manager.h"

typedef struct TryJob {
        Job job;
        char id[MANAGER_ID_SIZE];
        ResolvedSpec *resolved;
        int r;
        Error error;
        char *text;
        ModelDone done;
        void *userdata;
} TryJob;

static void try_job_free(MailboxItem *item) {
        TryJob *job = (TryJob *) item;

        resolved_spec_free(job->resolved);
        error_clear(&job->error);
        free(job->text);
        free(job);
}

static void try_run(Job *base) {
        TryJob *job = (TryJob *) base;
        const Spec *spec = job->resolved->spec;
        Instance *instance = NULL;
        ProbeSet *probes = NULL;
        int r, removed;

        r = instance_create(job->id, &job->error, &instance);
        if (r >= 0)
                r = probe_set_new(job->id, spec, &job->error, &probes);
        if (r >= 0)
                r = probe_set_enable(probes, instance, spec, &job->error);
        if (r >= 0)
                r = probe_set_describe(probes, &job->error, &job->text);
        if (instance) {
                removed = instance_destroy(instance);
                if (r >= 0 && removed < 0)
                        r = error_set_errno(&job->error, removed, "Cannot remove the instance that was tried in");
        }
        removed = probe_set_destroy(probes);
        if (r >= 0 && removed < 0)
                r = error_set_errno(&job->error, removed, "Cannot remove the probes that were tried");
        job->r = r;
}

static void try_done(Job *base) {
        TryJob *job = (TryJob *) base;

        job->done(job->r, &job->error, job->r < 0 ? NULL : job->text, job->userdata);
        try_job_free(&job->job.item);
}

void manager_try_probes(Manager *manager, ResolvedSpec *taken, ModelDone done, void *userdata) {
        TryJob *job = calloc(1, sizeof(*job));

        if (job)
                *job = (TryJob){
                        .job = { .item = { .free = try_job_free }, .run = try_run, .done = try_done },
                        .resolved = taken,
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || manager_make_id(job->id) < 0) {
                if (job)
                        try_job_free(&job->job.item);
                else
                        resolved_spec_free(taken);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        worker_submit(manager->kernel_worker, &job->job);
}
