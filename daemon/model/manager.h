/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Manager: all sessions, captures, sources, profiles and settings; the root of the session model. It knows
 * no bus: whoever wants to know what happens passes a ManagerObserver.
 *
 * Life cycle: manager_new(); manager_load() reads settings, profiles and the store, and removes what a
 * killed daemon left in the kernel; then operations; manager_shutdown() stops all sessions and closes their
 * captures; manager_free().
 *
 * Threads: the event loop's only. What blocks goes to three workers: kernel (tracefs), store (disk) and
 * digest (idle; also compression).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <syslog.h>
#include <systemd/sd-event.h>

#include "capture/store.h"
#include "core/settings.h"
#include "core/user-rates.h"
#include "kernel/lease.h"
#include "model/capture.h"
#include "model/model.h"
#include "model/profiles.h"
#include "model/session.h"
#include "model/worker.h"

/* Called on the event loop, from within operations: do not call back into the model. Any may be NULL. */
typedef struct ManagerObserver {
        void (*session_new)(Session *session, void *userdata);
        /* State or counters: the public properties may have changed. */
        void (*session_changed)(Session *session, bool state_changed, void *userdata);
        /* New losses since the last call, at most once a second. `n_new` events more. */
        void (*session_lost_events)(Session *session, uint64_t n_new, void *userdata);
        void (*session_removed)(Session *session, void *userdata);
        void (*capture_new)(Capture *capture, void *userdata);
        void (*capture_changed)(Capture *capture, void *userdata);
        void (*capture_removed)(Capture *capture, void *userdata);
        /* A watch wants to know what becomes of a unit of systemd's, or no longer: manager_unit_followed() follows,
         * not from within. Without it units cannot be watched. */
        int (*follow_unit)(const char *unit, bool on, Error *error, void *userdata);
        /* What one of the session's watches waits for has happened; `reason` is what its capture is told. */
        void (*watch_fired)(const Session *session, const char *watch, const char *reason, void *userdata);
        /* A session records more than its budget allows; `action` is what was done ("warn", "thin", "stop"), `rate`
         * events a second, `share` of the CPUs in OVERHEAD_WHOLE. `text` names events. */
        void (*session_overhead)(const Session *session, const char *action, uint64_t rate, uint64_t share,
                                 const char *text, void *userdata);
        /* Something an administrator should read: a bad profile, a stale instance, a failed session. */
        void (*notice)(int priority, const Session *session, const Capture *capture, const char *text,
                       void *userdata);
} ManagerObserver;

typedef struct ManagerConfig {
        sd_event *event;
        const char *store_path;
        const char *state_path;           /* what must be known after a reboot; NULL: nothing is kept */
        const char *runtime_path;         /* what must be known after a crash, and not after a reboot */
        char *const *settings_files;      /* in order; a directory stands for its *.json in order */
        char *const *profile_directories; /* the first that has a name wins */
        bool saves_previous_boot;         /* see previous-boot.h: the system's own daemon does */
        const ManagerObserver *observer;  /* borrowed */
        void *observer_userdata;
} ManagerConfig;

struct Manager {
        sd_event *event;
        char *store_path;
        char **settings_files;
        char **profile_directories;
        const ManagerObserver *observer;
        void *observer_userdata;
        Settings settings;
        Profiles *profiles;
        Store *store; /* opened when first needed: an embedded daemon that writes to a file needs none */
        Lease *lease; /* used by the kernel worker */
        UserRates *requests, *signals;
        uint64_t bytes_looked_at; /* of all captures when the file system was looked at last */
        Worker *kernel_worker, *store_worker, *digest_worker;
        Worker *watch_worker; /* NULL before the first watch */
        struct WatchMemory *watch_memory;
        /* NULL before they were needed; the last: of samples */
        Worker *measure_workers[SETTINGS_MEASUREMENTS_MAX + 1];
        uint64_t event_cost;    /* nsec, see event-cost.h; 0: not measured yet */
        bool event_cost_wanted; /* it is being measured, or cannot be */
        struct SessionList sessions;
        struct CaptureList captures;
        struct SourceList sources;
        struct VacuumList vacuums;
        struct LiveStreamList streams;
        struct MeasurementList measurements; /* under way */
        struct WatchStartList watch_starts;  /* sessions that watches are about to start */
        struct WatchList watches;            /* of all sessions, and those that are ending */
        uint64_t last_sink_id;
        bool retention_pending; /* the file system is being looked at */
        bool saves_previous_boot;
        bool shutting_down;
        ModelDone shutdown_done; /* NULL: nobody waits */
        void *shutdown_userdata;
        sd_event_source *shutdown_timer;
};

/* For the model's own parts: tell the observer. */
void manager_notice(Manager *manager, int priority, const Session *session, const Capture *capture,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* For the model's own parts: a name for an instance, of 16 hexadecimal digits. */
#define MANAGER_ID_SIZE 17
int manager_make_id(char ret[static MANAGER_ID_SIZE]);
/* For the model's own parts: something ended that a shutdown may be waiting for. */
void manager_check_shutdown(Manager *manager);

int manager_new(const ManagerConfig *config, Error *error, Manager **ret);
void manager_free(Manager *manager);
DEFINE_POINTER_CLEANUP(Manager, manager_free);

/* Result: none. Also for Reload: settings and profiles are read anew, and on failure the old ones stay. */
void manager_load(Manager *manager, ModelDone done, void *userdata);
void manager_reload(Manager *manager, ModelDone done, void *userdata);
/* Result: none. After MANAGER_SHUTDOWN_TIMEOUT it is answered with -ETIMEDOUT: a disk that stalls holds up a pump,
 * which cannot be freed then; the process has to end as it is, and the next start clears up. */
#define MANAGER_SHUTDOWN_TIMEOUT 30000000U /* usec */
void manager_shutdown(Manager *manager, ModelDone done, void *userdata);

/* A spec that has been merged with its profile and checked against the running kernel. */
typedef struct ResolvedSpec {
        Spec *spec;
        Spec *asked; /* before it was merged; NULL without a profile */
        EventSelection selection;
        char **absent_watches; /* name, reason, name, reason...: see watches_look() */
        Identity owner;        /* whose session it is to be */
        unsigned powers;       /* those of the spec and its selection, and of the profiles that its watches start */
} ResolvedSpec;
void resolved_spec_free(ResolvedSpec *resolved);
DEFINE_POINTER_CLEANUP(ResolvedSpec, resolved_spec_free);

/* Changes nothing but what is known of the profile, which is read anew. Takes `spec` over; `owner` is copied. Of
 * scope "self" the processes are checked now, and again when the session starts. Result: ResolvedSpec *, the callee
 * may take it with STEAL_PTR on the ResolvedSpec ** that is passed. */
void manager_resolve(Manager *manager, Spec *spec, const Identity *owner, ModelDone done, void *userdata);

/* `name`: NULL or "" makes one. `client` may be NULL. Takes `taken` over, also on failure: what it selects is what
 * the session will record, whatever comes into the kernel later. Checks quotas and that the name is free again.
 * ERROR_SESSION_EXISTS, ERROR_QUOTA_EXCEEDED. */
int manager_create_session(Manager *manager, const char *name, const char *client, ResolvedSpec *taken, Error *error,
                           Session **ret);

/* Defines the spec's probes, which it has, and removes them again. Takes `taken` over. Result: char * (JSON),
 * see probe_set_describe(). */
void manager_try_probes(Manager *manager, ResolvedSpec *taken, ModelDone done, void *userdata);

/* By id, or by name among the sessions of `uid`, or by a name that only one session has. */
int manager_find_session(Manager *manager, const char *id_or_name, uid_t uid, Error *error, Session **ret);
int manager_find_capture(Manager *manager, const char *id, Error *error, Capture **ret);

/* Removes the attached sessions of a client. */
void manager_client_gone(Manager *manager, const char *client);

typedef enum ManagerQuery {
        QUERY_EVENTS,         /* argument: glob, "" for all; result: char ** (strv) of "system:event" */
        QUERY_DESCRIBE_EVENT, /* argument: event; result: char * (JSON) */
        QUERY_TRACERS,        /* result: strv */
        QUERY_FUNCTIONS,      /* argument: function pattern, "" for all; result: strv of "name" or "name [module]" */
        QUERY_CAPABILITIES,   /* result: FeatureReport * */
} ManagerQuery;

typedef struct FeatureReport {
        struct Feature *features;
        size_t n_features;
        char **clocks;
        char **options;
} FeatureReport;

void manager_query(Manager *manager, ManagerQuery query, const char *argument, ModelDone done, void *userdata);
/* QUERY_FUNCTIONS, with at most `max` of them (0: all). */
void manager_list_functions(Manager *manager, const char *pattern, size_t max, ModelDone done, void *userdata);

/* JSON text: version, settings, numbers, budgets with what `uid` uses; nothing that only some may know. */
int manager_describe(const Manager *manager, uid_t uid, char **ret);
