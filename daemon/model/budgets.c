/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/budgets.h"

#include <errno.h>
#include <string.h>

#include "core/json-text.h"
#include "core/user-rates.h"
#include "kernel/memory.h"
#include "ktraced/clock.h"
#include "model/live-stream.h"
#include "model/manager.h"
#include "model/marker.h"
#include "model/measure.h"
#include "model/retention.h"
#include "model/session-run.h"
#include "model/source.h"

/* How much more there is before the file system is looked at again. */
#define GROWTH_STEP (16ULL << 20)

/* Of a user and in all; each user's part is asked about by what it is. */
static void count(QuotaUse *use, bool is_own, uint64_t n) {
        use->total += n;
        if (is_own)
                use->of_user += n;
}

static uint64_t probes_of(const Spec *spec) {
        return strv_length(spec->probes) + strv_length(spec->sql) + strv_length(spec->synthetic_events);
}

/* What sessions have; those that do not run only count themselves. */
static uint64_t part_of_session(const Session *session, Budget budget) {
        if (budget == BUDGET_SESSIONS)
                return 1;
        if (session->state != SESSION_STARTING && session->state != SESSION_ACTIVE &&
            session->state != SESSION_STOPPING)
                return 0;
        switch (budget) {
        case BUDGET_HISTOGRAMS:
                return strv_length(session->spec->histograms);
        case BUDGET_PROBES:
                return probes_of(session->spec);
        case BUDGET_MARKERS:
                return session_count_markers(session);
        default:
                return 0;
        }
}

static QuotaUse used_by_sessions(const Manager *manager, Budget budget, uid_t uid) {
        const Session *session;
        QuotaUse use = { 0 };

        LIST_FOREACH(session, &manager->sessions, sessions)
                count(&use, session->owner == uid, part_of_session(session, budget));
        return use;
}

/* A source that is shared is that of who made it. */
static QuotaUse used_buffer_memory(const Manager *manager, uid_t uid) {
        const QuotaUse measured = measurements_memory(manager, uid);
        const Source *source;
        QuotaUse use = { 0 };

        LIST_FOREACH(source, &manager->sources, sources)
                count(&use, source->owner == uid, source->buffer_memory);
        use.total += measured.total;
        use.of_user += measured.of_user;
        return use;
}

static QuotaUse used_by_captures(const Manager *manager, Budget budget, uid_t uid) {
        const Capture *capture;
        QuotaUse use = { 0 };

        LIST_FOREACH(capture, &manager->captures, captures) {
                const CaptureMetadata *metadata = capture->metadata;

                if (!metadata->external)
                        count(&use, metadata->owner == uid,
                              budget == BUDGET_DISK ? metadata->bytes : metadata->n_segments);
        }
        return use;
}

/* What cannot be deleted to make room. */
static QuotaUse kept_by_captures(const Manager *manager, Budget budget, uid_t uid) {
        const Capture *capture;
        QuotaUse use = { 0 };

        if (budget == BUDGET_SEGMENTS)
                return used_by_captures(manager, budget, uid);
        LIST_FOREACH(capture, &manager->captures, captures) {
                const CaptureMetadata *metadata = capture->metadata;

                if (!metadata->external && (metadata->pinned || metadata->state == CAPTURE_ACTIVE))
                        count(&use, metadata->owner == uid, metadata->bytes);
        }
        return use;
}

/* `is_new`: there is to be one more that writes, at least a small segment. */
static int check_store(const Manager *manager, uid_t uid, bool is_new, Error *error) {
        const struct {
                Budget budget;
                uint64_t wanted;
        } parts[] = { { BUDGET_DISK, is_new ? SPEC_SEGMENT_SIZE_MIN : 0 }, { BUDGET_SEGMENTS, is_new ? 1 : 0 } };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++) {
                const QuotaLimit limit = quota_limit(&manager->settings, &(MemoryInfo){ 0 }, parts[i].budget);
                const QuotaUse use = kept_by_captures(manager, parts[i].budget, uid);

                r = quota_check(parts[i].budget, &limit, &use, uid, parts[i].wanted, error);
        }
        return r;
}

static QuotaUse used(const Manager *manager, Budget budget, uid_t uid) {
        const QuotaLimit limit = quota_limit(&manager->settings, &(MemoryInfo){ 0 }, budget);

        switch (budget) {
        case BUDGET_BUFFER_MEMORY:
                return used_buffer_memory(manager, uid);
        case BUDGET_DISK:
        case BUDGET_SEGMENTS:
                return used_by_captures(manager, budget, uid);
        case BUDGET_STREAMS:
                return live_streams_count(manager, uid);
        case BUDGET_MEASUREMENTS:
                return measurements_count(manager, uid);
        case BUDGET_REQUESTS:
                return user_rates_use(manager->requests, &limit, uid, clock_usec(CLOCK_MONOTONIC));
        case BUDGET_SIGNALS:
                return user_rates_use(manager->signals, &limit, uid, clock_usec(CLOCK_MONOTONIC));
        default:
                return used_by_sessions(manager, budget, uid);
        }
}

int manager_check_budget(const Manager *manager, Budget budget, uid_t uid, uint64_t wanted, Error *error) {
        const QuotaUse use = used(manager, budget, uid);
        MemoryInfo memory = { 0 };
        QuotaLimit limit;
        int r = 0;

        if (budget == BUDGET_BUFFER_MEMORY) {
                r = memory_read(&memory);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot see how much memory there is");
        }
        limit = quota_limit(&manager->settings, &memory, budget);
        r = quota_check(budget, &limit, &use, uid, wanted, error);
        if (r >= 0 && budget == BUDGET_BUFFER_MEMORY)
                r = quota_check_available(&manager->settings, &memory, wanted, error);
        return r;
}

int manager_check_run(const Manager *manager, const Session *session, const Spec *spec, Error *error) {
        const struct {
                Budget budget;
                uint64_t wanted;
        } parts[] = { { BUDGET_HISTOGRAMS, strv_length(spec->histograms) }, { BUDGET_PROBES, probes_of(spec) } };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++) {
                const uint64_t held = part_of_session(session, parts[i].budget);

                if (parts[i].wanted > held)
                        r = manager_check_budget(manager, parts[i].budget, session->owner, parts[i].wanted - held,
                                                 error);
        }
        if (r >= 0 && spec->output < 0)
                r = check_store(manager, session->owner, true, error);
        return r;
}

/* True when no other user whose sessions run keeps more. */
static bool has_most(const Manager *manager, uid_t uid) {
        const uint64_t own = kept_by_captures(manager, BUDGET_DISK, uid).of_user;
        const Session *session;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->state == SESSION_ACTIVE && session->owner != uid &&
                    kept_by_captures(manager, BUDGET_DISK, session->owner).of_user > own)
                        return false;
        return true;
}

void manager_check_growth(Session *session) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Manager *manager = session->manager;
        uint64_t bytes;

        if (session->state != SESSION_ACTIVE || session->spec->output >= 0 || spec_is_ring(session->spec))
                return;

        bytes = used_by_captures(manager, BUDGET_DISK, session->owner).total;
        if (bytes > manager->bytes_looked_at + GROWTH_STEP || bytes < manager->bytes_looked_at) {
                manager->bytes_looked_at = bytes;
                manager_enforce_retention(manager);
        }

        if (check_store(manager, session->owner, false, &error) >= 0 || !has_most(manager, session->owner))
                return;
        manager_notice(manager, LOG_WARNING, session, session->capture, "Session %s (%s) ends: %s", session->id,
                       session->name, error_text(&error));
        session_end(session, "budget");
}

int manager_check_request(Manager *manager, uid_t uid, bool changes, Error *error) {
        const QuotaLimit requests = quota_limit(&manager->settings, &(MemoryInfo){ 0 }, BUDGET_REQUESTS);
        const QuotaLimit signals = quota_limit(&manager->settings, &(MemoryInfo){ 0 }, BUDGET_SIGNALS);
        const uint64_t now = clock_usec(CLOCK_MONOTONIC);
        QuotaUse use;

        if (uid == 0)
                return 0;
        if (!user_rates_take(manager->requests, &requests, uid, now, &use))
                return quota_check(BUDGET_REQUESTS, &requests, &use, uid, 1, error);
        if (changes && !user_rates_check(manager->signals, &signals, uid, now, &use))
                return quota_check(BUDGET_SIGNALS, &signals, &use, uid, 1, error);
        return 0;
}

void manager_count_signal(Manager *manager, uid_t uid) {
        const QuotaLimit signals = quota_limit(&manager->settings, &(MemoryInfo){ 0 }, BUDGET_SIGNALS);

        if (uid != 0)
                user_rates_charge(manager->signals, &signals, uid, 1, clock_usec(CLOCK_MONOTONIC));
}

static int describe_budget(const Manager *manager, Budget budget, const MemoryInfo *memory, uid_t uid,
                           struct json_object *array) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        const QuotaLimit limit = quota_limit(&manager->settings, memory, budget);
        const QuotaUse use = used(manager, budget, uid);
        int r;

        r = json_text_add_string(object, "name", budget_name(budget));
        if (r >= 0)
                r = json_text_add_string(object, "unit", budget_is_size(budget) ? "bytes" : "");
        if (r >= 0)
                r = json_text_add_unsigned(object, "used", use.total);
        if (r >= 0)
                r = json_text_add_unsigned(object, "limit", limit.total);
        if (r >= 0)
                r = json_text_add_unsigned(object, "user_used", use.of_user);
        if (r >= 0)
                r = json_text_add_unsigned(object, "user_limit", uid == 0 ? 0 : limit.per_user);
        if (r >= 0 && json_object_array_add(array, object) < 0)
                r = -ENOMEM;
        if (r >= 0)
                object = NULL;
        return r;
}

int manager_describe_budgets(const Manager *manager, uid_t uid, struct json_object **ret) {
        CLEANUP_JSON struct json_object *array = json_object_new_array();
        MemoryInfo memory = { 0 };
        int r;

        if (!array)
                return -ENOMEM;
        r = memory_read(&memory);
        for (unsigned budget = 0; r >= 0 && budget < _BUDGET_MAX; budget++)
                r = describe_budget(manager, (Budget) budget, &memory, uid, array);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(array);
        return 0;
}
