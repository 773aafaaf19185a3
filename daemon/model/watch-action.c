/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a watch does when what it waits for has happened. */

#include <errno.h>
#include <string.h>

#include "model/snapshot.h"
#include "model/watch.h"

/* Of another session, which is named after the session and the watch: made the first time, and started again. The
 * session that asked for it can be gone by the time. */
struct WatchStart {
        LIST_ENTRY(WatchStart) starts; /* of the manager */
        Manager *manager;
        char *name;
        unsigned powers; /* what was authorized */
};

static void watch_start_free(WatchStart *start) {
        LIST_REMOVE(start, starts);
        free(start->name);
        free(start);
}

void watch_starts_free(Manager *manager) {
        WatchStart *start;

        while ((start = LIST_FIRST(&manager->watch_starts)))
                watch_start_free(start);
}

static void report(WatchStart *start, int r, const Error *error) {
        if (r < 0)
                manager_notice(start->manager, LOG_ERR, NULL, NULL, "Cannot start session '%s': %s", start->name,
                               error_text(error));
        watch_start_free(start);
}

static void on_started(int r, const Error *error, void *result, void *userdata) {
        report(userdata, r, error);
}

static void on_resolved(int r, const Error *error, void *result, void *userdata) {
        CLEANUP(error_clear) Error failure = ERROR_INIT;
        WatchStart *start = userdata;
        ResolvedSpec *resolved;
        Session *session;

        if (r < 0) {
                report(start, r, error);
                return;
        }
        /* The profile can have become another since it was authorized. */
        resolved = *(ResolvedSpec **) result;
        if (resolved->powers & ~start->powers) {
                r = error_set(&failure, ERROR_ACCESS_DENIED,
                              "its profile needs more than was authorized when the watch was made");
                report(start, r, &failure);
                return;
        }
        r = manager_create_session(start->manager, start->name, NULL, STEAL_PTR(*(ResolvedSpec **) result), &failure,
                                   &session);
        if (r < 0)
                report(start, r, &failure);
        else
                session_start(session, on_started, start);
}

static Session *find_own(Manager *manager, const char *name, uid_t owner) {
        Session *session;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->owner == owner && strcmp(session->name, name) == 0)
                        return session;
        return NULL;
}

static bool is_being_started(Manager *manager, const char *name, const WatchStart *but) {
        const WatchStart *start;

        LIST_FOREACH(start, &manager->watch_starts, starts)
                if (start != but && strcmp(start->name, name) == 0)
                        return true;
        return false;
}

static int start_new(Watch *watch, WatchStart *start) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = spec_new(&spec);

        if (r >= 0)
                r = spec_set(spec, SPEC_PROFILE,
                             &(SpecValue){ .has = SPEC_TYPE_STRING, .string = watch->spec.profile }, NULL);
        if (r < 0)
                return r;
        manager_resolve(watch->manager, STEAL_PTR(spec), &watch->session->identity, on_resolved, start);
        return 0;
}

static void start_other(Watch *watch) {
        WatchStart *start = calloc(1, sizeof(*start));
        Session *session;
        int r = 0;

        if (!start || asprintf(&start->name, "%s.%s", watch->session->name, watch->spec.name) < 0) {
                free(start);
                manager_notice(watch->manager, LOG_ERR, watch->session, NULL, "Out of memory");
                return;
        }
        start->manager = watch->manager;
        LIST_INSERT_HEAD(&watch->manager->watch_starts, start, starts);
        start->powers = watch->session->powers;
        session = find_own(watch->manager, start->name, watch->session->owner);
        /* One that runs is what was wanted. */
        if (is_being_started(watch->manager, start->name, start) ||
            (session && !session_state_may_become(session->state, SESSION_STARTING))) {
                watch_start_free(start);
                return;
        }
        if (session) {
                session_start(session, on_started, start);
                return;
        }
        r = start_new(watch, start);
        if (r < 0)
                report(start, r, &(Error){ .code = error_code_from_errno(r) });
}

/* Of the other failures the snapshot itself has told. */
static void on_snapshot(int r, const Error *error, void *result, void *userdata) {
        const Session *session = userdata;

        if (r < 0 && (error->code == ERROR_BUSY || error->code == ERROR_WRONG_STATE))
                manager_notice(session->manager, LOG_WARNING, session, NULL, "%s", error_text(error));
}

static void on_rotated(int r, const Error *error, void *result, void *userdata) {
        const Session *session = userdata;

        if (r < 0 && error->code != ERROR_CANCELLED)
                manager_notice(session->manager, LOG_WARNING, session, NULL, "Cannot rotate: %s", error_text(error));
}

void watch_act(Watch *watch, const char *reason) {
        Session *session = watch->session;

        switch (watch->spec.action) {
        case WATCH_SNAPSHOT:
                session_snapshot(session, &(SnapshotOptions){ .reason = reason, .after = watch->spec.after },
                                 on_snapshot, session);
                break;
        case WATCH_STOP:
                session_stop(session, reason, model_done_ignore, NULL);
                break;
        case WATCH_ROTATE:
                session_rotate(session, on_rotated, session);
                break;
        case WATCH_START:
                start_other(watch);
                break;
        case _WATCH_ACTION_MAX:
                break;
        }
}
