/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/previous-boot.h"

#include <errno.h>
#include <string.h>

#include "capture/boot-capture.h"
#include "core/strv.h"
#include "kernel/boot-instance.h"
#include "kernel/formats.h"
#include "kernel/symbols.h"
#include "ktraced/clock.h"
#include "model/capture-directory.h"
#include "model/capture-finish.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/retention.h"

#define SESSION_NAME "previous-boot"

typedef struct BootJob {
        Job job;
        Manager *manager;
        Store *store, *opened;
        char *store_path, *name, *clock;
        int r;
        Error error;
        CaptureMetadata *taken; /* NULL: nothing was left */
        bool was_on, begun;
        Error lost; /* why what was prepared could not be used */
} BootJob;

static void boot_job_free(MailboxItem *item) {
        BootJob *job = (BootJob *) item;

        metadata_free(job->taken);
        store_free(job->opened);
        error_clear(&job->error);
        error_clear(&job->lost);
        free(job->store_path);
        free(job->name);
        free(job->clock);
        free(job);
}

static int make_metadata(const BootJob *job, const BootInstance *instance, CaptureMetadata **ret) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        int r;

        r = metadata_new(&metadata);
        if (r >= 0)
                r = capture_metadata_fill_host(metadata);
        if (r >= 0)
                r = store_make_id(&metadata->id);
        if (r < 0)
                return r;
        metadata->session_id = strdup("");
        metadata->session_name = strdup(SESSION_NAME);
        metadata->clock = strdup(job->clock);
        if (!metadata->session_id || !metadata->session_name || !metadata->clock || !metadata->boot_id)
                return -ENOMEM;
        metadata->state = CAPTURE_ACTIVE;
        metadata->start_realtime = clock_usec(CLOCK_REALTIME);
        metadata->buffer_size = boot_instance_buffer_size(instance);
        *ret = STEAL_PTR(metadata);
        return 0;
}

/* For the boot after this one: its formats, and then its events. */
static int begin(BootJob *job, BootInstance *instance, const CaptureMetadata *metadata) {
        CLEANUP(trace_formats_freep) TraceFormats *formats = NULL;
        CLEANUP(strv_freep) char **systems = NULL;
        bool symbols = false;
        int r;

        r = boot_instance_list_systems(instance, &systems);
        if (r < 0)
                return error_set_errno(&job->error, r, "Cannot read the events of %s", job->name);
        if (symbols_are_shown(&symbols) < 0)
                symbols = false;
        r = formats_collect(systems, symbols, &job->error, &formats);
        if (r >= 0)
                r = boot_capture_prepare(job->store, instance, formats, metadata->start_realtime, metadata,
                                         &job->error);
        if (r >= 0)
                r = boot_instance_begin(instance, job->clock, &job->error);
        if (r >= 0)
                job->begun = true;
        return r;
}

static int save(BootJob *job, BootInstance *instance) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        BootCaptureResult result = BOOT_CAPTURE_NONE;
        int r;

        job->was_on = boot_instance_is_on(instance);
        if (!job->store) {
                r = store_open(job->store_path, &job->error, &job->opened);
                if (r < 0)
                        return r;
                job->store = job->opened;
        }
        r = make_metadata(job, instance, &metadata);
        if (r < 0)
                return error_set_errno(&job->error, r, "Cannot describe this boot");
        r = boot_capture_take(job->store, instance, metadata->boot_id, &job->lost, &result, &job->taken);
        if (r >= 0 && result == BOOT_CAPTURE_PREPARED)
                return 0;
        /* What cannot be read now cannot be read later; where there was no room, there may be at the next start. */
        if (r < 0 && r != -ENODATA && r != -EBADMSG) {
                error_move(&job->error, &job->lost);
                return r;
        }
        return begin(job, instance, metadata);
}

static void boot_run(Job *base) {
        BootJob *job = (BootJob *) base;
        CLEANUP(boot_instance_freep) BootInstance *instance = NULL;

        job->r = boot_instance_open(job->name, &job->error, &instance);
        if (job->r == -ENOENT)
                job->r = 0;
        else if (job->r >= 0)
                job->r = save(job, instance);
}

static void take_capture(BootJob *job) {
        Manager *manager = job->manager;
        Capture *capture = NULL;

        if (capture_new(manager, STEAL_PTR(job->taken), &capture) < 0)
                return;
        manager_notice(manager, LOG_NOTICE, NULL, capture, "Saved what the boot before recorded in %s as capture %s",
                       job->name, capture->metadata->id);
        if (job->was_on)
                manager_notice(
                        manager, LOG_WARNING, NULL, capture,
                        "The instance %s was recording already: without ^traceoff on the kernel's command line "
                        "its capture can hold events of this boot, too",
                        job->name);
        capture_finish_all(capture);
        manager_enforce_retention(manager);
}

static void boot_done(Job *base) {
        BootJob *job = (BootJob *) base;
        Manager *manager = job->manager;

        if (job->opened && !manager->store)
                manager->store = STEAL_PTR(job->opened);
        if (job->lost.code != ERROR_NONE)
                manager_notice(manager, LOG_WARNING, NULL, NULL, "%s", error_text(&job->lost));
        if (job->r < 0)
                manager_notice(manager, LOG_WARNING, NULL, NULL, "%s", error_text(&job->error));
        if (job->taken)
                take_capture(job);
        if (job->begun)
                manager_notice(manager, LOG_INFO, NULL, NULL, "Recording in %s for the boot after this one",
                               job->name);
        boot_job_free(&job->job.item);
}

void previous_boot_save(Manager *manager) {
        BootJob *job;

        if (!*manager->settings.previous_boot_instance)
                return;
        job = calloc(1, sizeof(*job));
        if (!job)
                return;
        *job = (BootJob){
                .job = { .item = { .free = boot_job_free }, .run = boot_run, .done = boot_done },
                .manager = manager,
                .store = manager->store,
                .store_path = strdup(manager->store_path),
                .name = strdup(manager->settings.previous_boot_instance),
                .clock = strdup(manager->settings.clock),
        };
        if (!job->store_path || !job->name || !job->clock)
                boot_job_free(&job->job.item);
        else
                worker_submit(manager->kernel_worker, &job->job);
}
