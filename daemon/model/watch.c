/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/watch.h"

#include <errno.h>
#include <string.h>

#include "core/strv.h"
#include "ktraced/clock.h"
#include "model/session-run.h"
#include "model/snapshot.h"
#include "model/watch-list.h"
#include "model/watch-memory.h"

_Static_assert(WATCH_AFTER_MAX == SNAPSHOT_AFTER_MAX, "a snapshot waits for as long as it can be told to");
_Static_assert(WATCH_NAME_LENGTH + WATCH_REASON_LENGTH + sizeof(": ") <= SNAPSHOT_REASON_LENGTH,
               "the reason of a watch fits");

static const WatchOps *find_ops(WatchKind kind) {
        static const WatchOps *const ops[_WATCH_KIND_MAX] = {
                [WATCH_EVENT] = &watch_event_ops,       [WATCH_LATENCY] = &watch_event_ops,
                [WATCH_PRESSURE] = &watch_pressure_ops, [WATCH_UNIT] = &watch_unit_ops,
                [WATCH_JOURNAL] = &watch_journal_ops,
        };

        return ops[kind];
}

static int look(const WatchSpec *watch, Error *error, bool *tells_of_memory, char ***absent) {
        CLEANUP(error_clear) Error failure = ERROR_INIT;
        const WatchOps *ops = find_ops(watch->kind);
        int r = ops->look ? ops->look(watch, &failure, tells_of_memory) : 0;

        if (r >= 0)
                return 0;
        if (!watch->optional) {
                error_move(error, &failure);
                return r;
        }
        if (strv_append(absent, watch->name) < 0 || strv_append(absent, error_text(&failure)) < 0) {
                (void) error_set_errno(error, -ENOMEM, "Cannot look at the watches");
                return -ENOMEM;
        }
        return 0;
}

int watches_look(const Spec *spec, Error *error, bool *tells_of_memory, char ***absent) {
        int r = 0;

        for (char **text = spec->watches; r >= 0 && text && *text; text++) {
                CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };

                r = watch_spec_parse(*text, error, &watch);
                if (r >= 0)
                        r = look(&watch, error, tells_of_memory, absent);
        }
        return r;
}

int watches_powers(const Manager *manager, const Spec *spec, Error *error, unsigned *ret) {
        unsigned powers = spec_powers(spec);

        for (char **text = spec->watches; text && *text; text++) {
                CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };
                const Profile *profile;
                int r = watch_spec_parse(*text, error, &watch);

                if (r < 0)
                        return r;
                if (!watch.profile)
                        continue;
                r = profiles_find(manager->profiles, watch.profile, error, &profile);
                if (r < 0) {
                        error_prefix(error, "watches: %s", watch.name);
                        return r;
                }
                powers |= spec_powers(profile->spec);
        }
        *ret = powers;
        return 0;
}

void watch_free(Watch *watch) {
        LIST_REMOVE(watch, watches);
        sd_event_source_disable_unref(watch->timer);
        if (watch->data && watch->ops->free)
                watch->ops->free(watch->data);
        watch_spec_clear(&watch->spec);
        free(watch->absent);
        free(watch->seen);
        free(watch->id);
        free(watch);
}

void watches_free(Manager *manager) {
        Watch *watch;

        manager->watch_worker = NULL;
        while ((watch = LIST_FIRST(&manager->watches)))
                watch_free(watch);
        watch_starts_free(manager);
}

int watch_worker(Watch *watch, Worker **ret) {
        Manager *manager = watch->manager;

        if (!manager->watch_worker) {
                int r = worker_new(manager->event, &(WorkerConfig){ .name = "kt-watch" }, &manager->watch_worker);

                if (r < 0)
                        return r;
        }
        *ret = manager->watch_worker;
        return 0;
}

static int watch_new(Session *session, size_t number, Error *error, Watch **ret) {
        Watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch || asprintf(&watch->id, "%sw%zu", session->id, number) < 0) {
                free(watch);
                (void) error_set_errno(error, -ENOMEM, "Cannot watch anything");
                return -ENOMEM;
        }
        r = watch_spec_parse(session->spec->watches[number], error, &watch->spec);
        if (r < 0) {
                free(watch->id);
                free(watch);
                return r;
        }
        watch->manager = session->manager;
        watch->session = session;
        watch->ops = find_ops(watch->spec.kind);
        watch->starting = true;
        watch->limit = (RateLimit){ .interval = watch->spec.interval, .max = watch->spec.daily };
        watch_memory_recall(session->manager->watch_memory, watch);
        LIST_INSERT_HEAD(&session->manager->watches, watch, watches);
        *ret = watch;
        return 0;
}

/* One that is pending less. */
static void settle(Session *session) {
        if (--session->watches_pending == 0)
                session_watches_ready(session);
}

/* The session starts without it. -ENOMEM: nobody could be told why. */
static int be_absent(Watch *watch, const char *why) {
        watch->absent = strdup(why);
        if (!watch->absent)
                return -ENOMEM;
        manager_notice(watch->manager, LOG_WARNING, watch->session, NULL, "Session %s starts without a watch: %s",
                       watch->session->name, why);
        return 0;
}

static void start_failed(Watch *watch, int r, const Error *error) {
        CLEANUP(error_clear) Error failure = ERROR_INIT;
        Session *session = watch->session;

        if (error && error->code != ERROR_NONE)
                (void) error_set(&failure, error->code, "%s", error_text(error));
        else
                (void) error_set_errno(&failure, r, "watches: %s", watch->spec.name);
        if (watch->spec.optional && be_absent(watch, error_text(&failure)) >= 0)
                return;
        if (session->run_error.code == ERROR_NONE)
                error_move(&session->run_error, &failure);
}

void watch_started(Watch *watch, int r, const Error *error) {
        Session *session = watch->session;

        watch->starting = false;
        if (!session) {
                watch->ops->stop(watch);
                return;
        }
        if (r < 0)
                start_failed(watch, r, error);
        settle(session);
}

/* Why the kernel did not have it when it was looked for, or NULL. */
static const char *find_absent(const Session *session, const char *name) {
        for (char **pair = session->absent_watches; pair && *pair; pair += 2)
                if (strcmp(pair[0], name) == 0)
                        return pair[1];
        return NULL;
}

static int start_one(Session *session, size_t number) {
        const char *why;
        Watch *watch;
        int r = watch_new(session, number, &session->run_error, &watch);

        if (r < 0)
                return r;
        session->watches_pending++;
        why = find_absent(session, watch->spec.name);
        if (why)
                watch_started(watch, -EOPNOTSUPP,
                              &(Error){ .code = ERROR_NOT_SUPPORTED_BY_KERNEL, .message = (char *) why });
        else
                watch->ops->start(watch);
        return 0;
}

void watches_start(Session *session) {
        /* One more than there are, so that none that is ready at once is the last. */
        session->watches_pending = 1;
        session->watches_fired = 0;
        for (size_t i = 0; i < strv_length(session->spec->watches); i++)
                if (start_one(session, i) < 0)
                        break;
        settle(session);
}

void watches_stop(Session *session) {
        Watch *watch, *next;

        for (watch = LIST_FIRST(&session->manager->watches); watch; watch = next) {
                next = LIST_NEXT(watch, watches);
                if (watch->session != session)
                        continue;
                watch->session = NULL;
                watch->timer = sd_event_source_disable_unref(watch->timer);
                if (!watch->starting)
                        watch->ops->stop(watch);
        }
}

uint64_t watch_next(const Watch *watch) {
        uint64_t now = watch_memory_clock(), next = rate_limit_next(&watch->limit, now);

        return next > now ? clock_usec(CLOCK_REALTIME) + next - now : 0;
}

static int on_permitted(sd_event_source *source, uint64_t usec, void *userdata) {
        Watch *watch = userdata;

        watch->timer = sd_event_source_disable_unref(watch->timer);
        watch->ops->arm(watch, true);
        return 0;
}

/* Whether it is not permitted now: then it begins to notice when it is. */
static bool hold(Watch *watch) {
        uint64_t now = watch_memory_clock(), next = rate_limit_next(&watch->limit, now);

        if (next <= now)
                return false;
        if (sd_event_add_time(watch->manager->event, &watch->timer, CLOCK_BOOTTIME, next - WATCH_CLOCK_BOOT, 1,
                              on_permitted, watch) < 0)
                manager_notice(watch->manager, LOG_ERR, watch->session, NULL, "The watch %s has ended: out of memory",
                               watch->spec.name);
        return true;
}

void watches_arm(Session *session) {
        Watch *watch;

        if (session->state != SESSION_ACTIVE)
                return;
        LIST_FOREACH(watch, &session->manager->watches, watches)
                if (watch->session == session && !watch->absent && !hold(watch))
                        watch->ops->arm(watch, false);
}

bool watch_fire(Watch *watch) {
        Session *session = watch->session;
        Manager *manager = watch->manager;
        uint64_t now = watch_memory_clock();
        char reason[SNAPSHOT_REASON_LENGTH + 1];

        if (!session || session->state != SESSION_ACTIVE || watch->absent || manager->shutting_down)
                return false;
        if (rate_limit_next(&watch->limit, now) > now) {
                watch->n_suppressed++;
                return false;
        }
        rate_limit_take(&watch->limit, now);
        watch->fired = clock_usec(CLOCK_REALTIME);
        watch->n_fired++;
        session->watches_fired++;
        (void) snprintf(reason, sizeof(reason), "%s: %s", watch->spec.name,
                        watch->spec.reason ? watch->spec.reason : watch_kind_to_string(watch->spec.kind));
        watch_memory_note(manager->watch_memory, watch);
        (void) hold(watch);
        watch_act(watch, reason);
        if (manager->observer->watch_fired)
                manager->observer->watch_fired(session, watch->spec.name, reason, manager->observer_userdata);
        return true;
}

void watch_set_seen(Watch *watch, char *text) {
        if (!text)
                return;
        free(watch->seen);
        watch->seen = text;
}

static struct json_object *describe(const Watch *watch) {
        struct json_object *object = json_object_new_object();
        uint64_t next = watch_next(watch);

        json_object_object_add(object, "name", json_object_new_string(watch->spec.name));
        json_object_object_add(object, "kind", json_object_new_string(watch_kind_to_string(watch->spec.kind)));
        json_object_object_add(object, "what", json_object_new_string(watch->spec.what));
        json_object_object_add(object, "action", json_object_new_string(watch_action_to_string(watch->spec.action)));
        json_object_object_add(object, "fired", json_object_new_uint64(watch->n_fired));
        json_object_object_add(object, "suppressed", json_object_new_uint64(watch->n_suppressed));
        json_object_object_add(object, "last", watch->fired ? json_object_new_uint64(watch->fired) : NULL);
        json_object_object_add(object, "next", next ? json_object_new_uint64(next) : NULL);
        json_object_object_add(object, "seen", watch->seen ? json_object_new_string(watch->seen) : NULL);
        json_object_object_add(object, "absent", watch->absent ? json_object_new_string(watch->absent) : NULL);
        return object;
}

struct json_object *watches_describe(const Session *session) {
        struct json_object *array = json_object_new_array();
        const Watch *watch;

        LIST_FOREACH(watch, &session->manager->watches, watches)
                if (watch->session == session)
                        (void) json_object_array_add(array, describe(watch));
        return array;
}
