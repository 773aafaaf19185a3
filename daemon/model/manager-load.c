/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "kernel/instance.h"
#include "kernel/probe-set.h"
#include "kernel/synthetic.h"
#include "model/capture-finish.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/previous-boot.h"
#include "model/retention.h"
#include "model/text-file.h"
#include "model/watch-memory.h"

typedef struct LoadJob {
        Job job;
        Manager *manager;
        bool first; /* also the store and the kernel, not only the configuration */
        char *store_path;
        char *state_path; /* or NULL */
        char **settings_files;
        char **profile_directories;

        int r;
        Error error;
        Settings settings;
        Profiles *profiles;
        char **problems;
        Store *store;
        CaptureMetadata **captures;
        size_t n_captures;
        size_t n_skipped;
        WatchLimits limits;
        Error limits_error;

        ModelDone done;
        void *userdata;
} LoadJob;

static void load_job_free(MailboxItem *item) {
        LoadJob *job = (LoadJob *) item;

        for (size_t i = 0; i < job->n_captures; i++)
                metadata_free(job->captures[i]);
        free(job->captures);
        store_free(job->store);
        profiles_free(job->profiles);
        settings_clear(&job->settings);
        error_clear(&job->error);
        strv_free(job->problems);
        strv_free(job->settings_files);
        strv_free(job->profile_directories);
        watch_limits_clear(&job->limits);
        error_clear(&job->limits_error);
        free(job->store_path);
        free(job->state_path);
        free(job);
}

static int load_settings_file(LoadJob *job, const char *path) {
        CLEANUP_FREE char *text = NULL;

        int r = text_file_read(path, &job->error, &text);
        if (r < 0)
                return r;
        return settings_parse(&job->settings, text, path, &job->error);
}

static int load_settings(LoadJob *job) {
        int r = settings_init(&job->settings);

        for (char **file = job->settings_files; r >= 0 && file && *file; file++) {
                CLEANUP(strv_freep) char **paths = NULL;

                r = text_file_list(*file, &paths);
                for (char **path = paths; r >= 0 && path && *path; path++)
                        r = load_settings_file(job, *path);
        }
        return r < 0 ? r : settings_check(&job->settings, &job->error);
}

static int load_store(LoadJob *job) {
        /* One that does not exist is made when the first capture is. */
        if (access(job->store_path, F_OK) < 0)
                return 0;

        int r = store_open(job->store_path, &job->error, &job->store);
        if (r < 0)
                return r;
        return store_load(job->store, &job->error, &job->captures, &job->n_captures, &job->n_skipped);
}

static void load_run(Job *base) {
        LoadJob *job = (LoadJob *) base;

        job->r = load_settings(job);
        if (job->r >= 0)
                job->r = profiles_load(job->profile_directories, &job->profiles, &job->problems);
        if (job->r >= 0 && job->first)
                job->r = load_store(job);
        if (job->r >= 0 && job->state_path)
                (void) watch_memory_read(job->state_path, &job->limits_error, &job->limits);
}

static void take_captures(Manager *manager, LoadJob *job) {
        if (job->n_skipped > 0)
                manager_notice(manager, LOG_WARNING, NULL, NULL, "%zu captures in %s cannot be read", job->n_skipped,
                               job->store_path);
        if (!job->store)
                return;

        manager->store = STEAL_PTR(job->store);
        for (size_t i = 0; i < job->n_captures; i++) {
                Capture *capture;

                if (capture_new(manager, STEAL_PTR(job->captures[i]), &capture) >= 0)
                        capture_finish_all(capture);
        }
}

static void load_done(Job *base) {
        LoadJob *job = (LoadJob *) base;
        Manager *manager = job->manager;

        for (char **problem = job->problems; problem && *problem; problem++)
                manager_notice(manager, LOG_WARNING, NULL, NULL, "Profile left out: %s", *problem);
        if (job->limits_error.code != ERROR_NONE)
                manager_notice(manager, LOG_WARNING, NULL, NULL, "The limits of watches begin anew: %s",
                               error_text(&job->limits_error));
        if (job->r >= 0) {
                settings_clear(&manager->settings);
                manager->settings = job->settings;
                job->settings = (Settings){};
                profiles_free(manager->profiles);
                manager->profiles = STEAL_PTR(job->profiles);
                take_captures(manager, job);
                if (job->first)
                        watch_memory_take(manager->watch_memory, &job->limits);
                manager_enforce_retention(manager);
                if (job->first && manager->saves_previous_boot)
                        previous_boot_save(manager);
        }
        job->done(job->r, &job->error, NULL, job->userdata);
        load_job_free(&job->job.item);
}

static void submit_load(Manager *manager, bool first, ModelDone done, void *userdata) {
        const char *state_path = first ? watch_memory_directory(manager->watch_memory) : NULL;
        LoadJob *job = calloc(1, sizeof(*job));

        if (job)
                *job = (LoadJob){
                        .job = { .item = { .free = load_job_free }, .run = load_run, .done = load_done },
                        .manager = manager,
                        .first = first,
                        .store_path = strdup(manager->store_path),
                        .state_path = state_path ? strdup(state_path) : NULL,
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || !job->store_path || (state_path && !job->state_path) ||
            strv_copy(manager->settings_files, &job->settings_files) < 0 ||
            strv_copy(manager->profile_directories, &job->profile_directories) < 0) {
                if (job)
                        load_job_free(&job->job.item);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        worker_submit(manager->store_worker, &job->job);
}

/* What a killed daemon left in the kernel */

typedef struct StaleJob {
        Job job;
        Manager *manager;
        Lease *lease;
        unsigned n_removed, n_probes_removed, n_synthetic_removed;
        int r;
        int r_lease;
        Error lease_error;
        char *holder; /* of what was lent; NULL: nothing was */
} StaleJob;

static void stale_job_free(MailboxItem *item) {
        StaleJob *job = (StaleJob *) item;

        error_clear(&job->lease_error);
        free(job->holder);
        free(job);
}

static void stale_run(Job *base) {
        StaleJob *job = (StaleJob *) base;

        job->r_lease = lease_restore_stale(job->lease, &job->lease_error, &job->holder);
        job->r = instance_remove_stale(&job->n_removed);
        /* After the instances that used them. A kernel without probes has none. */
        if (probe_set_remove_stale(&job->n_probes_removed) < 0)
                job->n_probes_removed = 0;
        if (synthetic_remove_stale(&job->n_synthetic_removed) < 0)
                job->n_synthetic_removed = 0;
        job->n_probes_removed += job->n_synthetic_removed;
}

static void stale_done(Job *base) {
        StaleJob *job = (StaleJob *) base;

        if (job->r_lease < 0)
                manager_notice(job->manager, LOG_ERR, NULL, NULL, "%s", error_text(&job->lease_error));
        if (job->holder)
                manager_notice(job->manager, LOG_NOTICE, NULL, NULL,
                               "Restored the kernel's settings that an earlier daemon had lent to the session \"%s\"",
                               job->holder);
        if (job->r >= 0 && job->n_removed > 0)
                manager_notice(job->manager, LOG_NOTICE, NULL, NULL,
                               "Removed %u trace instance%s that an earlier daemon left behind", job->n_removed,
                               job->n_removed == 1 ? "" : "s");
        if (job->n_probes_removed > 0)
                manager_notice(job->manager, LOG_NOTICE, NULL, NULL,
                               "Removed %u probe%s that an earlier daemon left behind", job->n_probes_removed,
                               job->n_probes_removed == 1 ? "" : "s");
        stale_job_free(&job->job.item);
}

static void submit_stale(Manager *manager) {
        StaleJob *job = calloc(1, sizeof(*job));

        if (!job)
                return;
        *job = (StaleJob){
                .job = { .item = { .free = stale_job_free }, .run = stale_run, .done = stale_done },
                .manager = manager,
                .lease = manager->lease,
        };
        worker_submit(manager->kernel_worker, &job->job);
}

void manager_load(Manager *manager, ModelDone done, void *userdata) {
        submit_stale(manager);
        submit_load(manager, true, done, userdata);
}

void manager_reload(Manager *manager, ModelDone done, void *userdata) {
        submit_load(manager, false, done, userdata);
}
