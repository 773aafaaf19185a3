/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/capture-directory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-id128.h>

#include "core/spec-json.h"
#include "core/strv.h"
#include "ktraced/clock.h"
#include "model/manager.h"

typedef struct DeleteJob {
        Job job;
        Store *store;
        char *id;
} DeleteJob;

static void delete_job_free(MailboxItem *item) {
        DeleteJob *job = (DeleteJob *) item;

        free(job->id);
        free(job);
}

static void delete_run(Job *base) {
        DeleteJob *job = (DeleteJob *) base;

        /* What cannot be deleted now is found as an interrupted capture by the next start. */
        (void) store_delete_capture(job->store, job->id, NULL);
}

static void delete_done(Job *base) {
        delete_job_free(&base->item);
}

void capture_directory_discard(Manager *manager, char *id) {
        DeleteJob *job = id ? calloc(1, sizeof(*job)) : NULL;

        if (!job) {
                free(id);
                return;
        }
        *job = (DeleteJob){
                .job = { .item = { .free = delete_job_free }, .run = delete_run, .done = delete_done },
                .store = manager->store,
                .id = id,
        };
        worker_submit(manager->store_worker, &job->job);
}

typedef struct DirectoryJob {
        Job job;
        Manager *manager;
        Store *store;
        Store *opened;
        char *path;
        int r;
        Error error;
        CaptureDirectory directory;
        ModelDone done;
        void *userdata;
} DirectoryJob;

static void directory_job_free(MailboxItem *item) {
        DirectoryJob *job = (DirectoryJob *) item;

        closep(&job->directory.fd);
        store_free(job->opened);
        error_clear(&job->error);
        free(job->path);
        free(job->directory.id);
        free(job);
}

static void directory_run(Job *base) {
        DirectoryJob *job = (DirectoryJob *) base;

        if (!job->store) {
                job->r = store_open(job->path, &job->error, &job->opened);
                job->store = job->opened;
        }
        if (job->r >= 0)
                job->r = store_create_capture(job->store, &job->error, &job->directory.id, &job->directory.fd);
}

static void directory_done(Job *base) {
        DirectoryJob *job = (DirectoryJob *) base;

        if (job->opened && !job->manager->store)
                job->manager->store = STEAL_PTR(job->opened);
        job->done(job->r, &job->error, job->r < 0 ? NULL : &job->directory, job->userdata);
        directory_job_free(&job->job.item);
}

void capture_directory_make(Manager *manager, ModelDone done, void *userdata) {
        DirectoryJob *job = calloc(1, sizeof(*job));

        if (job)
                *job = (DirectoryJob){
                        .job = { .item = { .free = directory_job_free },
                                 .run = directory_run,
                                 .done = directory_done },
                        .manager = manager,
                        .store = manager->store,
                        .path = strdup(manager->store_path),
                        .directory = { .fd = -1 },
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || !job->path) {
                if (job)
                        directory_job_free(&job->job.item);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        worker_submit(manager->store_worker, &job->job);
}

int capture_metadata_fill_host(CaptureMetadata *metadata) {
        char text[SD_ID128_STRING_MAX];
        struct utsname host;
        sd_id128_t id;

        if (uname(&host) < 0)
                return -errno;
        if (asprintf(&metadata->kernel, "%s %s", host.release, host.version) < 0) {
                metadata->kernel = NULL;
                return -ENOMEM;
        }
        /* A container may lack a machine id: the member is then left out. */
        if (sd_id128_get_boot(&id) >= 0)
                metadata->boot_id = strdup(sd_id128_to_string(id, text));
        if (sd_id128_get_machine(&id) >= 0)
                metadata->machine_id = strdup(sd_id128_to_string(id, text));
        return 0;
}

int capture_metadata_make(const Session *session, const char *id, const Instance *instance, CaptureMetadata **ret) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        struct json_object *spec;

        int r = metadata_new(&metadata);
        if (r >= 0)
                r = capture_metadata_fill_host(metadata);
        if (r >= 0)
                r = spec_to_json(session->spec, &spec);
        if (r < 0)
                return r;
        metadata->spec_json = strdup(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN));
        json_object_put(spec);

        metadata->id = strdup(id);
        metadata->session_id = strdup(session->id);
        metadata->session_name = strdup(session->name);
        metadata->clock = strdup(instance_clock(instance));
        if (!metadata->spec_json || !metadata->id || !metadata->session_id || !metadata->session_name ||
            !metadata->clock)
                return -ENOMEM;
        r = strv_copy(session->thinned, &metadata->thinned);
        if (r < 0)
                return r;
        metadata->owner = session->owner;
        metadata->state = CAPTURE_ACTIVE;
        metadata->start_realtime = clock_usec(CLOCK_REALTIME);
        metadata->buffer_size = instance_buffer_size(instance);
        metadata->external = session->spec->output >= 0;

        *ret = STEAL_PTR(metadata);
        return 0;
}
