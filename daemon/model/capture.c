/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "capture/store.h"
#include "core/strv.h"
#include "ktraced/clock.h"
#include "model/capture-finish.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/retention.h"

void capture_tell_changed(Capture *capture) {
        Manager *manager = capture->manager;

        if (manager->observer->capture_changed)
                manager->observer->capture_changed(capture, manager->observer_userdata);
}

int capture_new(Manager *manager, CaptureMetadata *metadata, Capture **ret) {
        Capture *capture = calloc(1, sizeof(*capture));

        if (!capture) {
                metadata_free(metadata);
                return -ENOMEM;
        }
        *capture = (Capture){ .manager = manager, .metadata = metadata };
        LIST_INIT(&capture->jobs);
        LIST_INSERT_HEAD(&manager->captures, capture, captures);
        *ret = capture;
        if (manager->observer->capture_new)
                manager->observer->capture_new(capture, manager->observer_userdata);
        return 0;
}

void capture_free(Capture *capture) {
        if (!capture)
                return;

        Manager *manager = capture->manager;
        Session *session;

        LIST_REMOVE(capture, captures);
        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->capture == capture)
                        session->capture = NULL;
        if (manager->observer->capture_removed)
                manager->observer->capture_removed(capture, manager->observer_userdata);
        capture_forget_jobs(capture);
        metadata_free(capture->metadata);
        free(capture);
}

Capture *capture_find(Manager *manager, const char *id) {
        Capture *capture;

        LIST_FOREACH(capture, &manager->captures, captures)
                if (strcmp(capture->metadata->id, id) == 0)
                        return capture;
        return NULL;
}

int capture_describe(const Capture *capture, char **ret) {
        return metadata_format(capture->metadata, ret);
}

SegmentInfo *capture_find_segment(Capture *capture, uint64_t number) {
        for (size_t i = 0; i < capture->metadata->n_segments; i++)
                if (capture->metadata->segments[i].number == number)
                        return &capture->metadata->segments[i];
        return NULL;
}

/* Writing the metadata once more, with what was found out after the end */

typedef struct WriteJob {
        Job job;
        Store *store;
        CaptureMetadata *metadata;
} WriteJob;

static void write_job_free(MailboxItem *item) {
        WriteJob *job = (WriteJob *) item;

        metadata_free(job->metadata);
        free(job);
}

static void write_run(Job *base) {
        WriteJob *job = (WriteJob *) base;

        /* When it fails the digests are missing on disk, and the next start computes them again. */
        (void) store_write_metadata(job->store, job->metadata, NULL);
}

static void write_done(Job *base) {
        write_job_free(&base->item);
}

void capture_write_metadata(Capture *capture) {
        WriteJob *job = calloc(1, sizeof(*job));

        if (!job)
                return;
        *job = (WriteJob){
                .job = { .item = { .free = write_job_free }, .run = write_run, .done = write_done },
                .store = capture->manager->store,
        };
        if (metadata_copy(capture->metadata, &job->metadata) < 0)
                write_job_free(&job->job.item);
        else
                worker_submit(capture->manager->store_worker, &job->job);
}

void capture_set_pinned(Capture *capture, bool pinned, ModelDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = 0;

        if (capture->metadata->external)
                r = error_set(&error, ERROR_WRONG_STATE, "Capture '%s' is in a file of its client's",
                              capture->metadata->id);
        else if (capture->metadata->pinned != pinned) {
                capture->metadata->pinned = pinned;
                /* While it is written, the pump writes the metadata, and the end of the run does it again. */
                if (capture->metadata->state != CAPTURE_ACTIVE)
                        capture_write_metadata(capture);
                capture_tell_changed(capture);
        }
        done(r, &error, NULL, userdata);
}

/* Changes while it is written */

void capture_progress(Capture *capture, uint64_t events, uint64_t bytes, uint64_t lost, uint64_t open_segment) {
        CaptureMetadata *metadata = capture->metadata;
        uint64_t saved;

        metadata->events = events;
        /* What is on disk: without what compression saved, and what went with the oldest segments. */
        saved = metadata_saved_bytes(metadata) + capture->dropped_bytes;
        metadata->bytes = bytes > saved ? bytes - saved : 0;
        metadata->lost = lost;
        /* Without memory for its row the segment is shown once it is closed. */
        if (open_segment > 0 && metadata->state == CAPTURE_ACTIVE && !capture_find_segment(capture, open_segment))
                (void) metadata_add_segment(metadata, &(SegmentInfo){
                                                              .number = open_segment,
                                                              .start_realtime = clock_usec(CLOCK_REALTIME),
                                                      });
}

static void drop_oldest(Capture *capture) {
        CaptureMetadata *metadata = capture->metadata;
        const SegmentInfo *oldest = metadata->segments;

        capture->dropped_bytes += oldest->raw_bytes > 0 ? oldest->raw_bytes : oldest->bytes;
        metadata->n_segments--;
        (void) memmove(metadata->segments, metadata->segments + 1,
                       metadata->n_segments * sizeof(*metadata->segments));
        metadata->segments_dropped++;
}

void capture_note_thinned(Capture *capture, const char *event) {
        /* Without memory it is shown at the end, when the pump's metadata take the place of these. */
        (void) strv_append(&capture->metadata->thinned, event);
}

void capture_segment_closed(Capture *capture, const SegmentInfo *segment, uint64_t segments_max) {
        CaptureMetadata *metadata = capture->metadata;
        SegmentInfo *row = capture_find_segment(capture, segment->number);

        if (row)
                *row = *segment;
        else if (metadata_add_segment(metadata, segment) < 0)
                return;
        while (segments_max > 0 && metadata->n_segments > segments_max && metadata->segments[0].end_realtime > 0)
                drop_oldest(capture);
        capture_finish_segment(capture, segment->number);
        capture_tell_changed(capture);
        manager_enforce_retention(capture->manager);
}

void capture_cleared(Capture *capture) {
        CaptureMetadata *metadata = capture->metadata;

        metadata->n_segments = 0;
        metadata->segments_dropped = 0;
        capture->dropped_bytes = 0;
        capture_progress(capture, 0, 0, 0, 0);
        capture_tell_changed(capture);
}

void capture_closed(Capture *capture, CaptureMetadata *metadata) {
        CLEANUP(metadata_freep) CaptureMetadata *old = NULL;

        if (!metadata) {
                capture->metadata->state = CAPTURE_FAILED;
                capture_tell_changed(capture);
                return;
        }
        old = capture->metadata;
        capture->metadata = metadata;
        metadata->pinned = old->pinned;
        /* The pump knows nothing of what was done with them since they were closed. */
        for (size_t i = 0; i < old->n_segments; i++) {
                SegmentInfo *segment = capture_find_segment(capture, old->segments[i].number);

                if (segment && segment->sha256[0] == 0)
                        (void) memcpy(segment->sha256, old->segments[i].sha256, sizeof(segment->sha256));
                if (segment && old->segments[i].raw_bytes > 0)
                        capture_set_compressed(capture, segment, old->segments[i].bytes,
                                               old->segments[i].compress_usec);
        }
        /* Those that the old metadata knew were asked for when they were closed. */
        for (size_t i = 0; i < metadata->n_segments; i++) {
                bool known = false;

                for (size_t j = 0; j < old->n_segments; j++)
                        known |= old->segments[j].number == metadata->segments[i].number &&
                                 old->segments[j].end_realtime > 0;
                if (!known)
                        capture_finish_segment(capture, metadata->segments[i].number);
        }
        if (LIST_EMPTY(&capture->jobs) && !metadata->external)
                capture_write_metadata(capture);
        capture_tell_changed(capture);
        manager_enforce_retention(capture->manager);
}

/* Reading and deleting */

typedef struct FileJob {
        Job job;
        Manager *manager;
        Store *store;
        char *id;
        uint64_t number;
        int fd;
        int r;
        Error error;
        ModelDone done;
        void *userdata;
} FileJob;

static void file_job_free(MailboxItem *item) {
        FileJob *job = (FileJob *) item;

        closep(&job->fd);
        error_clear(&job->error);
        free(job->id);
        free(job);
}

static void submit_file_job(Capture *capture, uint64_t number, void (*run)(Job *), void (*job_done)(Job *),
                            ModelDone done, void *userdata) {
        FileJob *job = calloc(1, sizeof(*job));

        if (job)
                *job = (FileJob){
                        .job = { .item = { .free = file_job_free }, .run = run, .done = job_done },
                        .manager = capture->manager,
                        .store = capture->manager->store,
                        .id = strdup(capture->metadata->id),
                        .number = number,
                        .fd = -1,
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || !job->id) {
                if (job)
                        file_job_free(&job->job.item);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        worker_submit(capture->manager->store_worker, &job->job);
}

static void open_run(Job *base) {
        FileJob *job = (FileJob *) base;

        job->r = store_open_segment(job->store, job->id, job->number, &job->error, &job->fd);
}

static void open_done(Job *base) {
        FileJob *job = (FileJob *) base;

        job->done(job->r, &job->error, job->r < 0 ? NULL : &job->fd, job->userdata);
        file_job_free(&job->job.item);
}

void capture_open(Capture *capture, uint64_t segment, ModelDone done, void *userdata) {
        if (capture->metadata->external) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = error_set(&error, ERROR_NO_SUCH_SEGMENT, "Capture '%s' is in a file of its client's",
                                  capture->metadata->id);

                done(r, &error, NULL, userdata);
                return;
        }
        submit_file_job(capture, segment, open_run, open_done, done, userdata);
}

static void delete_run(Job *base) {
        FileJob *job = (FileJob *) base;

        job->r = store_delete_capture(job->store, job->id, &job->error);
}

static void delete_done(Job *base) {
        FileJob *job = (FileJob *) base;
        Capture *capture = capture_find(job->manager, job->id);

        if (job->r >= 0)
                capture_free(capture);
        job->done(job->r, &job->error, NULL, job->userdata);
        file_job_free(&job->job.item);
}

void capture_delete(Capture *capture, ModelDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        if (capture->metadata->state == CAPTURE_ACTIVE) {
                r = error_set(&error, ERROR_BUSY, "Capture '%s' is being written by session '%s'",
                              capture->metadata->id, capture->metadata->session_name);
                done(r, &error, NULL, userdata);
                return;
        }
        if (capture->metadata->external) {
                capture_free(capture);
                done(0, NULL, NULL, userdata);
                return;
        }
        submit_file_job(capture, 0, delete_run, delete_done, done, userdata);
}
