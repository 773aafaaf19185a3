/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/capture-finish.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "capture/store.h"
#include "model/capture-list.h"
#include "model/manager.h"

struct FinishJob {
        Job job;
        LIST_ENTRY(FinishJob) jobs; /* of the capture */
        Capture *capture;           /* NULL: it has gone */
        Store *store;
        char *id;
        uint64_t number;
        bool compress;
        atomic_uint_least64_t written; /* see store_compress_segment() */
        int r_compress, r;
        Error error; /* of the compression */
        StoreCompression result;
};

/* One that was not done any more, since the daemon ends, is still on its capture's list. */
static void finish_job_free(MailboxItem *item) {
        FinishJob *job = (FinishJob *) item;

        if (job->capture)
                LIST_REMOVE(job, jobs);
        error_clear(&job->error);
        free(job->id);
        free(job);
}

static void finish_run(Job *base) {
        FinishJob *job = (FinishJob *) base;

        job->r_compress = -ECANCELED;
        if (job->compress)
                job->r_compress = store_compress_segment(job->store, job->id, job->number, &job->written, &job->error,
                                                         &job->result);
        job->r = job->r_compress;
        if (job->r < 0)
                job->r = store_digest_segment(job->store, job->id, job->number, NULL, job->result.sha256);
}

void capture_set_compressed(Capture *capture, SegmentInfo *segment, uint64_t bytes, uint64_t usec) {
        CaptureMetadata *metadata = capture->metadata;
        uint64_t saved = segment->bytes > bytes ? segment->bytes - bytes : 0;

        segment->raw_bytes = segment->bytes;
        segment->bytes = bytes;
        segment->compress_usec = usec;
        metadata->bytes -= saved < metadata->bytes ? saved : metadata->bytes;
}

static void take_result(Capture *capture, const FinishJob *job) {
        SegmentInfo *segment = capture_find_segment(capture, job->number);

        /* It may have been dropped meanwhile. */
        if (!segment)
                return;
        if (job->r >= 0)
                memcpy(segment->sha256, job->result.sha256, sizeof(segment->sha256));
        if (job->r_compress >= 0)
                capture_set_compressed(capture, segment, job->result.bytes, job->result.usec);
        /* One that was deleted, or that a crash left damaged, is no news. */
        else if (job->compress && job->r_compress != -ECANCELED && job->r_compress != -EBADMSG &&
                 job->error.code != ERROR_NO_SUCH_CAPTURE)
                manager_notice(capture->manager, LOG_WARNING, NULL, capture, "%s; it stays as it is",
                               error_text(&job->error));
}

static void finish_done(Job *base) {
        FinishJob *job = (FinishJob *) base;
        Capture *capture = job->capture;

        if (capture) {
                LIST_REMOVE(job, jobs);
                job->capture = NULL;
                take_result(capture, job);
                if (LIST_EMPTY(&capture->jobs) && capture->metadata->state != CAPTURE_ACTIVE)
                        capture_write_metadata(capture);
                if (job->r_compress >= 0)
                        capture_tell_changed(capture);
        }
        finish_job_free(&job->job.item);
}

void capture_finish_segment(Capture *capture, uint64_t number) {
        Manager *manager = capture->manager;
        FinishJob *job;

        if (capture->metadata->external)
                return;
        job = calloc(1, sizeof(*job));
        if (!job)
                return;
        *job = (FinishJob){
                .job = { .item = { .free = finish_job_free }, .run = finish_run, .done = finish_done },
                .capture = capture,
                .store = manager->store,
                .id = strdup(capture->metadata->id),
                .number = number,
                .compress = manager->settings.captures_compress,
        };
        LIST_INSERT_HEAD(&capture->jobs, job, jobs);
        if (!job->id) {
                finish_job_free(&job->job.item);
                return;
        }
        worker_submit(manager->digest_worker, &job->job);
}

void capture_finish_all(Capture *capture) {
        const CaptureMetadata *metadata = capture->metadata;
        bool compress = capture->manager->settings.captures_compress;

        for (size_t i = 0; i < metadata->n_segments; i++)
                if (metadata->segments[i].sha256[0] == 0 || (compress && metadata->segments[i].raw_bytes == 0))
                        capture_finish_segment(capture, metadata->segments[i].number);
}

uint64_t capture_temporary_bytes(const Capture *capture) {
        const FinishJob *job;
        uint64_t bytes = 0;

        LIST_FOREACH(job, &capture->jobs, jobs)
                bytes += atomic_load(&job->written);
        return bytes;
}

void capture_forget_jobs(Capture *capture) {
        FinishJob *job;

        while ((job = LIST_FIRST(&capture->jobs))) {
                LIST_REMOVE(job, jobs);
                job->capture = NULL;
        }
}
