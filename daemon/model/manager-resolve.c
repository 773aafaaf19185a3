/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "capture/output-file.h"
#include "core/parse.h"
#include "core/safe-events.h"
#include "core/strv.h"
#include "kernel/catalog.h"
#include "kernel/features.h"
#include "kernel/own-process.h"
#include "kernel/tracing-dir.h"
#include "model/manager.h"
#include "model/watch-list.h"

/* The part of buffer_memory_max that a ring with a window may have unless it says. */
#define RING_SHARE 4U

void resolved_spec_free(ResolvedSpec *resolved) {
        if (!resolved)
                return;
        spec_free(resolved->spec);
        spec_free(resolved->asked);
        event_selection_clear(&resolved->selection);
        strv_free(resolved->absent_watches);
        identity_clear(&resolved->owner);
        free(resolved);
}

typedef struct ResolveJob {
        Job job;
        int r;
        Error error;
        ResolvedSpec *resolved;
        char **safe_events; /* the administrator's */
        ModelDone done;
        void *userdata;
} ResolveJob;

static void resolve_job_free(MailboxItem *item) {
        ResolveJob *job = (ResolveJob *) item;

        resolved_spec_free(job->resolved);
        strv_free(job->safe_events);
        error_clear(&job->error);
        free(job);
}

static int resolve_self(ResolveJob *job) {
        const Spec *spec = job->resolved->spec;
        int r = own_process_check_namespace(&job->error);

        if (r >= 0)
                r = safe_events_restrict(&job->resolved->selection, job->safe_events, &job->error);
        for (size_t i = 0; r >= 0 && i < spec->pidfds.n_fds; i++) {
                CLEANUP_FREE pid_t *tasks = NULL;
                size_t n_tasks;

                r = own_process_list_tasks(spec->pidfds.fds[i], &job->resolved->owner, &job->error, &tasks, &n_tasks);
        }
        return r;
}

static void resolve_run(Job *base) {
        ResolveJob *job = (ResolveJob *) base;

        job->r = features_require_tracing(&job->error);
        if (job->r >= 0)
                job->r = tracing_dir_ensure(&job->error);
        if (job->r >= 0)
                job->r = catalog_resolve(job->resolved->spec, &job->error, &job->resolved->selection);
        if (job->r >= 0)
                job->r = watches_look(job->resolved->spec, &job->error, &job->resolved->selection.tells_of_memory,
                                      &job->resolved->absent_watches);
        if (job->r >= 0 && spec_is_self(job->resolved->spec))
                job->r = resolve_self(job);
}

static void resolve_done(Job *base) {
        ResolveJob *job = (ResolveJob *) base;

        if (job->resolved->selection.tells_of_memory)
                job->resolved->powers |= POWER_KERNEL_ADDRESSES;
        job->done(job->r, &job->error, job->r < 0 ? NULL : &job->resolved, job->userdata);
        resolve_job_free(&job->job.item);
}

/* With a window, ring_size is the most, and the size to begin with is what a session has by default. */
static void fill_ring_size(const Settings *settings, Spec *spec) {
        uint64_t n_cpus = (uint64_t) sysconf(_SC_NPROCESSORS_CONF);

        if (spec->window > 0 && spec->ring_size == 0)
                spec->ring_size = settings->buffer_memory_max / RING_SHARE;
        if (spec->ring_size > 0)
                spec->buffer_size = spec->ring_size / n_cpus;
        if (spec->window > 0 && spec->buffer_size > settings->buffer_size)
                spec->buffer_size = settings->buffer_size;
}

static uint64_t least(uint64_t a, uint64_t b) {
        return a == 0 || (b > 0 && b < a) ? b : a;
}

/* What needs no authentication has limits, and they are kept. */
static int fill_overhead(const Settings *settings, Spec *spec) {
        const bool self = spec_is_self(spec);

        if (!spec_is_given(spec, SPEC_MAX_EVENT_RATE))
                spec->max_event_rate = least(settings->max_event_rate, self ? settings->self_max_event_rate : 0);
        if (!spec_is_given(spec, SPEC_MAX_CPU_SHARE))
                spec->max_cpu_share = least(settings->max_cpu_share, self ? settings->self_max_cpu_share : 0);
        if (!spec_is_given(spec, SPEC_OVERHEAD_GRACE))
                spec->overhead_grace = settings->overhead_grace;
        if (spec->overhead_policy)
                return 0;
        spec->overhead_policy =
                strdup(self && strcmp(settings->overhead_policy, "warn") == 0 ? "thin" : settings->overhead_policy);
        return spec->overhead_policy ? 0 : -ENOMEM;
}

static int fill_defaults(const Settings *settings, Spec *spec) {
        fill_ring_size(settings, spec);
        if (spec->buffer_size == 0 && spec_is_self(spec))
                spec->buffer_size = settings->self_buffer_size;
        if (spec->buffer_size == 0)
                spec->buffer_size = settings->buffer_size;
        if (spec->segment_size == 0)
                spec->segment_size = settings->segment_size;
        if (!spec->clock) {
                spec->clock = strdup(settings->clock);
                if (!spec->clock)
                        return -ENOMEM;
        }
        return fill_overhead(settings, spec);
}

static int check_self_limit(const Spec *spec, SpecKey key, uint64_t value, const char *setting, uint64_t limit,
                            Error *error) {
        if (!spec_is_given(spec, key) || (value > 0 && value <= limit))
                return 0;
        return error_set(error, ERROR_QUOTA_EXCEEDED, "%s: %llu%s; %s allows %llu in scope \"self\"",
                         spec_key_name(key), (unsigned long long) value, value == 0 ? ", which is no limit" : "",
                         setting, (unsigned long long) limit);
}

static int check_self_overhead(const Settings *settings, const Spec *spec, Error *error) {
        char asked[64], limit[64];
        int r;

        r = check_self_limit(spec, SPEC_MAX_EVENT_RATE, spec->max_event_rate, "self_max_event_rate",
                             settings->self_max_event_rate, error);
        if (r >= 0)
                r = check_self_limit(spec, SPEC_MAX_CPU_SHARE, spec->max_cpu_share, "self_max_cpu_share",
                                     settings->self_max_cpu_share, error);
        if (r >= 0 && spec_is_given(spec, SPEC_OVERHEAD_GRACE) && spec->overhead_grace > settings->overhead_grace)
                r = error_set(error, ERROR_QUOTA_EXCEEDED,
                              "overhead_grace: %s; the setting of that name allows %s in scope \"self\"",
                              format_span(spec->overhead_grace, asked, sizeof(asked)),
                              format_span(settings->overhead_grace, limit, sizeof(limit)));
        if (r >= 0 && spec->overhead_policy && strcmp(spec->overhead_policy, "warn") == 0)
                r = error_set(error, ERROR_OUT_OF_SCOPE,
                              "overhead_policy: \"warn\" is not for scope \"self\", whose limits are kept; \"thin\" "
                              "and \"stop\" are");
        return r;
}

/* What needs no authentication may not take all of what there is; and the kernel's filter follows forks always. */
static int complete_self(const Settings *settings, Spec *spec, Error *error) {
        char asked[16], limit[16];

        if (spec->buffer_size > settings->self_buffer_size_max)
                return error_set(error, ERROR_QUOTA_EXCEEDED,
                                 "buffer_size: %s for each CPU; self_buffer_size_max allows %s in scope \"self\"",
                                 format_size(spec->buffer_size, asked, sizeof(asked)),
                                 format_size(settings->self_buffer_size_max, limit, sizeof(limit)));
        spec->children = true;
        spec->given |= UINT64_C(1) << SPEC_CHILDREN;
        return check_self_overhead(settings, spec, error);
}

/* All that can be said without the kernel. */
static int complete(Manager *manager, Spec **spec, Error *error) {
        if ((*spec)->profile) {
                const Profile *profile;
                Spec *merged;

                int r = profiles_find(manager->profiles, (*spec)->profile, error, &profile);
                if (r < 0)
                        return r;
                r = spec_merge(profile->spec, *spec, &merged);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot apply profile '%s'", profile->name);
                spec_free(*spec);
                *spec = merged;
        }
        int r = spec_validate(*spec, error);
        if (r >= 0 && (*spec)->output >= 0)
                r = output_file_check((*spec)->output, error);
        if (r >= 0 && spec_is_self(*spec))
                r = complete_self(&manager->settings, *spec, error);
        if (r >= 0)
                r = fill_defaults(&manager->settings, *spec);
        return r;
}

static void fail(int r, Error *error, ModelDone done, void *userdata) {
        if (error->code == ERROR_NONE)
                (void) error_set_errno(error, r, "Cannot read the spec");
        done(r, error, NULL, userdata);
}

/* With its profile in manager->profiles. */
static void resolve(Manager *manager, Spec *taken_spec, const Identity *owner, ModelDone done, void *userdata) {
        CLEANUP(spec_freep) Spec *spec = taken_spec, *asked = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        unsigned powers = 0;
        int r = spec->profile ? spec_copy(spec, &asked) : 0;

        if (r >= 0)
                r = complete(manager, &spec, &error);
        if (r >= 0)
                r = watches_powers(manager, spec, &error, &powers);
        if (r < 0) {
                fail(r, &error, done, userdata);
                return;
        }

        ResolveJob *job = calloc(1, sizeof(*job));
        ResolvedSpec *resolved = calloc(1, sizeof(*resolved));
        CLEANUP(strv_freep) char **safe_events = NULL;
        if (!job || !resolved || identity_copy(owner, &resolved->owner) < 0 ||
            strv_copy(manager->settings.safe_events, &safe_events) < 0) {
                free(job);
                resolved_spec_free(resolved);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        resolved->spec = STEAL_PTR(spec);
        resolved->asked = STEAL_PTR(asked);
        resolved->powers = powers;
        *job = (ResolveJob){
                .job = { .item = { .free = resolve_job_free }, .run = resolve_run, .done = resolve_done },
                .resolved = resolved,
                .safe_events = STEAL_PTR(safe_events),
                .done = done,
                .userdata = userdata,
        };
        worker_submit(manager->kernel_worker, &job->job);
}

/* The profile as it is on the disk now, so that nobody gets half of a change, or one from before. */
typedef struct ProfileJob {
        Job job;
        Manager *manager;
        char **directories;
        Spec *spec;
        Identity owner;
        Profile *profile;
        int r;
        Error error;
        ModelDone done;
        void *userdata;
} ProfileJob;

static void profile_job_free(MailboxItem *item) {
        ProfileJob *job = (ProfileJob *) item;

        strv_free(job->directories);
        spec_free(job->spec);
        identity_clear(&job->owner);
        profile_free(job->profile);
        error_clear(&job->error);
        free(job);
}

static void profile_run(Job *base) {
        ProfileJob *job = (ProfileJob *) base;

        job->r = profiles_read(job->directories, job->spec->profile, &job->error, &job->profile);
}

static void profile_done(Job *base) {
        ProfileJob *job = (ProfileJob *) base;
        Manager *manager = job->manager;

        if (job->r >= 0) {
                job->r = profiles_put(manager->profiles, job->profile);
                if (job->r >= 0)
                        STEAL_PTR(job->profile);
        }
        if (job->r < 0)
                fail(job->r, &job->error, job->done, job->userdata);
        else
                resolve(manager, STEAL_PTR(job->spec), &job->owner, job->done, job->userdata);
        profile_job_free(&job->job.item);
}

void manager_resolve(Manager *manager, Spec *taken_spec, const Identity *owner, ModelDone done, void *userdata) {
        CLEANUP(spec_freep) Spec *spec = taken_spec;
        ProfileJob *job;

        if (!spec->profile) {
                resolve(manager, STEAL_PTR(spec), owner, done, userdata);
                return;
        }
        job = calloc(1, sizeof(*job));
        if (job)
                *job = (ProfileJob){
                        .job = { .item = { .free = profile_job_free }, .run = profile_run, .done = profile_done },
                        .manager = manager,
                        .error = ERROR_INIT,
                        .done = done,
                        .userdata = userdata,
                };
        if (!job || strv_copy(manager->profile_directories, &job->directories) < 0 ||
            identity_copy(owner, &job->owner) < 0) {
                if (job)
                        profile_job_free(&job->job.item);
                done(-ENOMEM, &(Error){ .code = ERROR_NO_MEMORY }, NULL, userdata);
                return;
        }
        job->spec = STEAL_PTR(spec);
        worker_submit(manager->kernel_worker, &job->job);
}
