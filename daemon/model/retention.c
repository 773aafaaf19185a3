/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/retention.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ktraced/clock.h"
#include "model/capture-finish.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/session-run.h"

typedef struct Removal Removal;

/* One round of deleting, and who waits for its end. */
struct Vacuum {
        LIST_ENTRY(Vacuum) vacuums; /* of the manager */
        LIST_HEAD(, Removal) removals;
        Manager *manager;
        size_t n_pending;
        uint64_t bytes;
        ModelDone done;
        void *userdata;
};

/* A capture that is being deleted. */
struct Removal {
        LIST_ENTRY(Removal) removals;
        Vacuum *vacuum;
        uint64_t bytes;
        char id[64];
};

static void vacuum_free(Vacuum *vacuum) {
        Removal *removal;

        while ((removal = LIST_FIRST(&vacuum->removals))) {
                LIST_REMOVE(removal, removals);
                free(removal);
        }
        LIST_REMOVE(vacuum, vacuums);
        free(vacuum);
}

void manager_free_vacuums(Manager *manager) {
        Vacuum *vacuum;

        while ((vacuum = LIST_FIRST(&manager->vacuums)))
                vacuum_free(vacuum);
}

static void vacuum_release(Vacuum *vacuum) {
        if (--vacuum->n_pending > 0)
                return;
        vacuum->done(0, NULL, &vacuum->bytes, vacuum->userdata);
        vacuum_free(vacuum);
}

static void on_deleted(int r, const Error *error, void *result, void *userdata) {
        Removal *removal = userdata;
        Vacuum *vacuum = removal->vacuum;

        if (r >= 0) {
                vacuum->bytes += removal->bytes;
                manager_notice(vacuum->manager, LOG_INFO, NULL, NULL, "Deleted capture %s to make room", removal->id);
        } else {
                Capture *capture = capture_find(vacuum->manager, removal->id);

                if (capture)
                        capture->deleting = false;
                manager_notice(vacuum->manager, LOG_WARNING, NULL, capture,
                               "Cannot delete capture %s to make room: %s", removal->id, error_text(error));
        }
        LIST_REMOVE(removal, removals);
        free(removal);
        vacuum_release(vacuum);
}

static void remove_capture(Vacuum *vacuum, Capture *capture) {
        Removal *removal = calloc(1, sizeof(*removal));

        if (!removal)
                return;
        removal->vacuum = vacuum;
        removal->bytes = capture->metadata->bytes;
        (void) snprintf(removal->id, sizeof(removal->id), "%s", capture->metadata->id);
        LIST_INSERT_HEAD(&vacuum->removals, removal, removals);
        capture->deleting = true;
        vacuum->n_pending++;
        capture_delete(capture, on_deleted, removal);
}

static int list_captures(Manager *manager, RetentionItem **ret_items, Capture ***ret_captures, size_t *ret_n) {
        RetentionItem *items;
        Capture **captures, *capture;
        size_t n = 0;

        LIST_FOREACH(capture, &manager->captures, captures)
                n++;
        items = calloc(n + 1, sizeof(*items));
        captures = calloc(n + 1, sizeof(Capture *));
        if (!items || !captures) {
                free(items);
                free(captures);
                return -ENOMEM;
        }
        n = 0;
        LIST_FOREACH(capture, &manager->captures, captures) {
                const CaptureMetadata *metadata = capture->metadata;

                if (metadata->external || capture->deleting)
                        continue;
                items[n] = (RetentionItem){
                        .owner = metadata->owner,
                        .bytes = metadata->bytes + capture_temporary_bytes(capture),
                        .end = metadata->end_realtime ? metadata->end_realtime : metadata->start_realtime,
                        .kept = metadata->pinned || metadata->state == CAPTURE_ACTIVE,
                };
                captures[n++] = capture;
        }
        *ret_items = items;
        *ret_captures = captures;
        *ret_n = n;
        return 0;
}

void manager_vacuum(Manager *manager, const RetentionLimits *limits, ModelDone done, void *userdata) {
        CLEANUP_FREE RetentionItem *items = NULL;
        CLEANUP_FREE Capture **captures = NULL;
        Vacuum *vacuum = calloc(1, sizeof(*vacuum));
        size_t n = 0;

        if (!vacuum || list_captures(manager, &items, &captures, &n) < 0) {
                free(vacuum);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        *vacuum = (Vacuum){ .manager = manager, .n_pending = 1, .done = done, .userdata = userdata };
        LIST_INSERT_HEAD(&manager->vacuums, vacuum, vacuums);
        retention_choose(items, n, limits, clock_usec(CLOCK_REALTIME));
        for (size_t i = 0; i < n; i++)
                if (items[i].chosen)
                        remove_capture(vacuum, captures[i]);
        vacuum_release(vacuum);
}

/* The limits of the settings */

/* What is in nobody's way to be deleted has that many bytes. */
static bool could_free(const Manager *manager, uint64_t wanted) {
        const Capture *capture;
        uint64_t bytes = 0;

        LIST_FOREACH(capture, &manager->captures, captures) {
                const CaptureMetadata *metadata = capture->metadata;

                if (!metadata->external && !metadata->pinned && metadata->state != CAPTURE_ACTIVE)
                        bytes += metadata->bytes;
        }
        return bytes >= wanted;
}

/* Whatever else writes to the file system must not run out of room because somebody traces. */
static void end_largest(Manager *manager) {
        Session *session, *largest = NULL;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->state == SESSION_ACTIVE && session->spec->output < 0 && !spec_is_ring(session->spec) &&
                    (!largest || session->bytes > largest->bytes))
                        largest = session;
        if (!largest)
                return;
        manager_notice(manager, LOG_WARNING, largest, largest->capture,
                       "Session %s (%s) ends: the store's file system has less free than captures_keep_free",
                       largest->id, largest->name);
        session_end(largest, "budget");
}

typedef struct SpaceJob {
        Job job;
        Manager *manager;
        char *path;
        uint64_t size, available; /* of the file system; 0: not known */
} SpaceJob;

static void space_job_free(MailboxItem *item) {
        SpaceJob *job = (SpaceJob *) item;

        free(job->path);
        free(job);
}

static void space_run(Job *base) {
        SpaceJob *job = (SpaceJob *) base;
        struct statvfs fs;

        if (statvfs(job->path, &fs) < 0)
                return;
        job->size = (uint64_t) fs.f_blocks * fs.f_frsize;
        job->available = (uint64_t) fs.f_bavail * fs.f_frsize;
}

static void space_done(Job *base) {
        SpaceJob *job = (SpaceJob *) base;
        Manager *manager = job->manager;
        const Settings *settings = &manager->settings;
        RetentionLimits limits = {
                .max_use = settings->captures_max_use,
                .max_use_per_user = settings->captures_max_use_per_user,
                .max_files = settings->captures_max_files,
                .max_age = settings->captures_max_age,
        };
        uint64_t keep_free = settings->captures_keep_free;

        manager->retention_pending = false;
        /* What suits a large disk must not empty a small one. */
        if (keep_free > job->size / 10)
                keep_free = job->size / 10;
        if (keep_free > job->available)
                limits.to_free = keep_free - job->available;
        space_job_free(&job->job.item);
        if (limits.to_free > 0 && !could_free(manager, limits.to_free))
                end_largest(manager);
        manager_vacuum(manager, &limits, model_done_ignore, NULL);
}

void manager_enforce_retention(Manager *manager) {
        SpaceJob *job;

        if (manager->retention_pending || manager->shutting_down || !manager->store)
                return;
        job = calloc(1, sizeof(*job));
        if (job)
                *job = (SpaceJob){
                        .job = { .item = { .free = space_job_free }, .run = space_run, .done = space_done },
                        .manager = manager,
                        .path = strdup(manager->store_path),
                };
        if (!job || !job->path) {
                /* The next capture tries again. */
                free(job);
                return;
        }
        manager->retention_pending = true;
        worker_submit(manager->store_worker, &job->job);
}
