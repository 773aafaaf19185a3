/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "core/parse.h"
#include "core/text.h"
#include "ktraced/clock.h"
#include "model/budgets.h"
#include "model/capture-finish.h"
#include "model/capture-list.h"
#include "model/live-stream.h"
#include "model/manager.h"
#include "model/measure.h"
#include "model/retention.h"
#include "model/session-run.h"
#include "model/source.h"
#include "model/watch-list.h"
#include "model/watch-memory.h"

static const ManagerObserver no_observer = {};

static int start_workers(Manager *manager) {
        int r = worker_new(manager->event, &(WorkerConfig){ .name = "kt-kernel", .drop_pending = true },
                           &manager->kernel_worker);

        if (r >= 0)
                r = worker_new(manager->event, &(WorkerConfig){ .name = "kt-store" }, &manager->store_worker);
        if (r >= 0)
                r = worker_new(manager->event,
                               &(WorkerConfig){ .name = "kt-digest", .idle = true, .drop_pending = true },
                               &manager->digest_worker);
        return r;
}

int manager_new(const ManagerConfig *config, Error *error, Manager **ret) {
        CLEANUP(manager_freep) Manager *manager = calloc(1, sizeof(*manager));

        if (!manager)
                return -ENOMEM;
        manager->event = sd_event_ref(config->event);
        manager->observer = config->observer ? config->observer : &no_observer;
        manager->observer_userdata = config->observer_userdata;
        manager->saves_previous_boot = config->saves_previous_boot;
        LIST_INIT(&manager->sessions);
        LIST_INIT(&manager->captures);
        LIST_INIT(&manager->sources);
        LIST_INIT(&manager->streams);
        LIST_INIT(&manager->measurements);
        LIST_INIT(&manager->watches);
        LIST_INIT(&manager->watch_starts);

        int r = settings_init(&manager->settings);
        if (r < 0)
                return r;
        manager->store_path = strdup(config->store_path);
        if (!manager->store_path)
                return -ENOMEM;
        r = watch_memory_new(manager, config->state_path, &manager->watch_memory);
        if (r >= 0)
                r = user_rates_new(&manager->requests);
        if (r >= 0)
                r = user_rates_new(&manager->signals);
        if (r >= 0)
                r = lease_new(config->runtime_path, &manager->lease);
        if (r >= 0)
                r = strv_copy(config->settings_files, &manager->settings_files);
        if (r >= 0)
                r = strv_copy(config->profile_directories, &manager->profile_directories);
        if (r < 0)
                return r;
        r = start_workers(manager);
        if (r < 0)
                return error_set_errno(error, r, "Cannot start the workers");

        *ret = STEAL_PTR(manager);
        return 0;
}

/* After manager_shutdown() only lists are left to free. Without it (the daemon failed while starting) the
 * sources' instances stay for the next start to remove. */
void manager_free(Manager *manager) {
        Session *session;
        Capture *capture;
        Source *source;

        if (!manager)
                return;
        manager->observer = &no_observer;
        sd_event_source_disable_unref(manager->shutdown_timer);
        /* What is missing then, the next start computes; a large capture would take minutes. */
        if (manager->store)
                store_cancel_background(manager->store);
        /* The worker frees what it has not come to. */
        LIST_FOREACH(capture, &manager->captures, captures)
                capture_forget_jobs(capture);
        measurements_cancel(manager, NULL);
        worker_free(manager->kernel_worker);
        measurements_free(manager);
        worker_free(manager->store_worker);
        worker_free(manager->digest_worker);
        worker_free(manager->watch_worker);
        watches_free(manager);
        watch_memory_free(manager->watch_memory);
        manager_free_vacuums(manager);
        manager_free_streams(manager);
        while ((session = LIST_FIRST(&manager->sessions)))
                session_free(session);
        while ((capture = LIST_FIRST(&manager->captures)))
                capture_free(capture);
        while ((source = LIST_FIRST(&manager->sources)))
                source_free(source);
        user_rates_free(manager->requests);
        user_rates_free(manager->signals);
        lease_free(manager->lease);
        store_free(manager->store);
        profiles_free(manager->profiles);
        settings_clear(&manager->settings);
        strv_free(manager->settings_files);
        strv_free(manager->profile_directories);
        free(manager->store_path);
        sd_event_unref(manager->event);
        free(manager);
}

void manager_notice(Manager *manager, int priority, const Session *session, const Capture *capture,
                    const char *format, ...) {
        CLEANUP_FREE char *text = NULL;
        va_list ap;

        if (!manager->observer->notice)
                return;
        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        manager->observer->notice(priority, session, capture, text ? text : format, manager->observer_userdata);
}

/* Sessions */

static Session *find_by_name(Manager *manager, const char *name, const uid_t *owner, bool *ret_ambiguous) {
        Session *session, *found = NULL;

        *ret_ambiguous = false;
        LIST_FOREACH(session, &manager->sessions, sessions) {
                if (strcmp(session->name, name) != 0 || (owner && session->owner != *owner))
                        continue;
                *ret_ambiguous = found != NULL;
                found = session;
        }
        return found;
}

static int check_name(Manager *manager, const char *name, uid_t owner, Error *error) {
        bool ambiguous;

        if (!name_is_valid(name))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "Not a name for a session: 1 to 64 characters of A-Z a-z 0-9 . _ @ - are, "
                                 "not beginning with '.' or '-'");
        if (find_by_name(manager, name, &owner, &ambiguous))
                return error_set(error, ERROR_SESSION_EXISTS, "There is a session '%s' already", name);
        return 0;
}

int manager_make_id(char ret[static MANAGER_ID_SIZE]) {
        sd_id128_t id;

        int r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        for (size_t i = 0; i < 8; i++)
                (void) snprintf(ret + i * 2, 3, "%02x", id.bytes[i]);
        return 0;
}

int manager_create_session(Manager *manager, const char *name, const char *client, ResolvedSpec *taken, Error *error,
                           Session **ret) {
        CLEANUP(resolved_spec_freep) ResolvedSpec *resolved = taken;
        uid_t owner = resolved->owner.uid;
        char id[MANAGER_ID_SIZE];

        if (manager->shutting_down)
                return error_set(error, ERROR_WRONG_STATE, "The daemon is shutting down");
        int r = manager_make_id(id);
        if (r < 0)
                return error_set_errno(error, r, "Cannot make an id");
        if (!name || !*name)
                name = id;
        r = check_name(manager, name, owner, error);
        if (r >= 0)
                r = manager_check_budget(manager, BUDGET_SESSIONS, owner, 1, error);
        if (r < 0)
                return r;

        Session *session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;
        *session = (Session){
                .manager = manager,
                .id = strdup(id),
                .name = strdup(name),
                .client = client ? strdup(client) : NULL,
                .owner = owner,
                .state = SESSION_CREATED,
                .created = clock_usec(CLOCK_REALTIME),
                .run_dir_fd = -1,
        };
        if (!session->id || !session->name || (client && !session->client)) {
                free(session->id);
                free(session->name);
                free(session->client);
                free(session);
                return -ENOMEM;
        }
        session->spec = STEAL_PTR(resolved->spec);
        session->asked = STEAL_PTR(resolved->asked);
        session->powers = resolved->powers;
        session->selection = resolved->selection;
        resolved->selection = (EventSelection){};
        session->absent_watches = STEAL_PTR(resolved->absent_watches);
        session->identity = resolved->owner;
        resolved->owner = (Identity){};
        LIST_INSERT_HEAD(&manager->sessions, session, sessions);
        *ret = session;
        if (manager->observer->session_new)
                manager->observer->session_new(session, manager->observer_userdata);
        return 0;
}

int manager_find_session(Manager *manager, const char *id_or_name, uid_t uid, Error *error, Session **ret) {
        Session *session;
        bool ambiguous;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (strcmp(session->id, id_or_name) == 0) {
                        *ret = session;
                        return 0;
                }
        session = find_by_name(manager, id_or_name, &uid, &ambiguous);
        if (!session)
                session = find_by_name(manager, id_or_name, NULL, &ambiguous);
        if (!session)
                return error_set(error, ERROR_NO_SUCH_SESSION, "There is no session '%s'", TEXT_ESCAPE(id_or_name));
        if (ambiguous)
                return error_set(error, ERROR_NO_SUCH_SESSION, "Several users have a session '%s': give its id",
                                 id_or_name);
        *ret = session;
        return 0;
}

int manager_find_capture(Manager *manager, const char *id, Error *error, Capture **ret) {
        Capture *capture = capture_find(manager, id);

        if (!capture)
                return error_set(error, ERROR_NO_SUCH_CAPTURE, "There is no capture '%s'", TEXT_ESCAPE(id));
        *ret = capture;
        return 0;
}

static Session *find_attached(Manager *manager, const char *client) {
        Session *session;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->spec->attached && session->client && !session->removing &&
                    strcmp(session->client, client) == 0)
                        return session;
        return NULL;
}

void manager_client_gone(Manager *manager, const char *client) {
        Session *session;

        measurements_cancel(manager, client);
        /* Removing may free any session at once, so the search begins anew each time; it ends because
         * what is found is either freed or marked as being removed. */
        while ((session = find_attached(manager, client)))
                session_remove(session, "client-left", model_done_ignore, NULL);
}

/* Shutting down */

void manager_check_shutdown(Manager *manager) {
        Session *session;

        if (!manager->shutdown_done || !LIST_EMPTY(&manager->sources))
                return;
        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->state == SESSION_STARTING || session->state == SESSION_ACTIVE ||
                    session->state == SESSION_STOPPING)
                        return;
        manager->shutdown_timer = sd_event_source_disable_unref(manager->shutdown_timer);
        STEAL_PTR(manager->shutdown_done)(0, NULL, NULL, manager->shutdown_userdata);
}

static int on_shutdown_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Manager *manager = userdata;
        Session *session;

        LIST_FOREACH(session, &manager->sessions, sessions) {
                if (session->source)
                        manager_notice(manager, LOG_ERR, session, session->capture,
                                       "Session %s does not end: what it writes to stalls", session->id);
        }
        int r = error_set(&error, ERROR_TIMED_OUT, "Some sessions did not end in time");
        STEAL_PTR(manager->shutdown_done)(r, &error, NULL, manager->shutdown_userdata);
        return 0;
}

void manager_shutdown(Manager *manager, ModelDone done, void *userdata) {
        Session *session;

        manager->shutting_down = true;
        measurements_cancel(manager, NULL);
        manager->shutdown_done = done;
        manager->shutdown_userdata = userdata;
        /* Without the timer it only may take longer. */
        (void) sd_event_add_time_relative(manager->event, &manager->shutdown_timer, CLOCK_MONOTONIC,
                                          MANAGER_SHUTDOWN_TIMEOUT, 0, on_shutdown_timeout, manager);

        /* session_end() frees nothing at once: what it begins is finished by reports and jobs. */
        LIST_FOREACH(session, &manager->sessions, sessions)
                session_end(session, "shutdown");
        manager_check_shutdown(manager);
}
