/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/watch-limits.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/json-text.h"

static void limit_clear(WatchLimit *limit) {
        free(limit->session);
        free(limit->watch);
}

void watch_limits_clear(WatchLimits *limits) {
        for (size_t i = 0; i < limits->n_limits; i++)
                limit_clear(&limits->limits[i]);
        free(limits->limits);
        *limits = (WatchLimits){ 0 };
}

static WatchLimit *find(const WatchLimits *limits, uid_t owner, const char *session, const char *watch) {
        for (size_t i = 0; i < limits->n_limits; i++) {
                WatchLimit *limit = &limits->limits[i];

                if (limit->owner == owner && strcmp(limit->session, session) == 0 && strcmp(limit->watch, watch) == 0)
                        return limit;
        }
        return NULL;
}

const WatchLimit *watch_limits_find(const WatchLimits *limits, uid_t owner, const char *session, const char *watch) {
        return find(limits, owner, session, watch);
}

static size_t count_of(const WatchLimits *limits, uid_t owner) {
        size_t n = 0;

        for (size_t i = 0; i < limits->n_limits; i++)
                n += limits->limits[i].owner == owner;
        return n;
}

/* Who has most loses, so that nobody makes others' limits be forgotten. */
static void drop_one(WatchLimits *limits) {
        size_t oldest = 0, most = 0;

        for (size_t i = 0; i < limits->n_limits; i++) {
                size_t n = count_of(limits, limits->limits[i].owner);

                if (n > most || (n == most && limits->limits[i].limit.last < limits->limits[oldest].limit.last)) {
                        most = n;
                        oldest = i;
                }
        }
        limit_clear(&limits->limits[oldest]);
        limits->limits[oldest] = limits->limits[--limits->n_limits];
}

/* Takes what the entry has over on success. */
static int append(WatchLimits *limits, const WatchLimit *limit) {
        WatchLimit *grown;

        if (limits->n_limits == WATCH_LIMITS_MAX)
                drop_one(limits);
        grown = reallocarray(limits->limits, limits->n_limits + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        grown[limits->n_limits++] = *limit;
        limits->limits = grown;
        return 0;
}

/* With a copy of the names. */
static int append_new(WatchLimits *limits, uid_t owner, const char *session, const char *watch, WatchLimit **ret) {
        WatchLimit limit = { .owner = owner, .session = strdup(session), .watch = strdup(watch) };
        int r = limit.session && limit.watch ? append(limits, &limit) : -ENOMEM;

        if (r < 0) {
                limit_clear(&limit);
                return r;
        }
        *ret = &limits->limits[limits->n_limits - 1];
        return 0;
}

int watch_limits_set(WatchLimits *limits, uid_t owner, const char *session, const char *watch, const RateLimit *limit,
                     uint64_t realtime) {
        WatchLimit *entry = find(limits, owner, session, watch);

        if (!entry) {
                int r = append_new(limits, owner, session, watch, &entry);

                if (r < 0)
                        return r;
        }
        if (entry->limit.begun != limit->begun)
                entry->begun_realtime = realtime;
        entry->limit = *limit;
        entry->last_realtime = realtime;
        return 0;
}

/* Text */

static int format_limit(struct json_object *array, const WatchLimit *limit) {
        struct json_object *entry = json_object_new_object();
        const struct {
                const char *key;
                uint64_t number;
        } numbers[] = {
                { "owner", limit->owner },
                { "n", limit->limit.n },
                { "last", limit->limit.last - WATCH_CLOCK_BOOT },
                { "begun", limit->limit.begun - WATCH_CLOCK_BOOT },
                { "last_realtime", limit->last_realtime },
                { "begun_realtime", limit->begun_realtime },
        };
        int r;

        if (!entry)
                return -ENOMEM;
        if (json_object_array_add(array, entry) < 0) {
                (void) json_object_put(entry);
                return -ENOMEM;
        }
        r = json_text_add_string(entry, "session", limit->session);
        if (r >= 0)
                r = json_text_add_string(entry, "watch", limit->watch);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
                r = json_text_add_unsigned(entry, numbers[i].key, numbers[i].number);
        return r;
}

int watch_limits_format(const WatchLimits *limits, const char *boot_id, char **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        struct json_object *array = json_object_new_array();
        int r;

        if (!object) {
                (void) json_object_put(array);
                return -ENOMEM;
        }
        r = json_text_add(object, "watches", array);
        if (r >= 0)
                r = json_text_add_string(object, "boot_id", boot_id);
        for (size_t i = 0; r >= 0 && i < limits->n_limits; i++)
                r = format_limit(array, &limits->limits[i]);
        return r < 0 ? r : json_text_format(object, true, ret);
}

static int get_number(struct json_object *entry, const char *key, uint64_t *ret) {
        return json_text_get_unsigned(json_object_object_get(entry, key), ret);
}

/* By the times of day: how long ago it was, from now on. */
static uint64_t to_clock(const WatchTime *now, uint64_t realtime) {
        uint64_t age = realtime < now->realtime ? now->realtime - realtime : 0;

        return age < now->clock ? now->clock - age : 1;
}

/* `same_boot`: the moments are of this boot's clock. */
static int parse_limit(struct json_object *entry, bool same_boot, const WatchTime *now, WatchLimits *limits) {
        const char *session, *watch;
        uint64_t owner, last, begun, n, last_realtime, begun_realtime;
        WatchLimit *limit;
        int r;

        if (!json_object_is_type(entry, json_type_object) ||
            json_text_get_string(json_object_object_get(entry, "session"), &session) < 0 ||
            json_text_get_string(json_object_object_get(entry, "watch"), &watch) < 0 ||
            get_number(entry, "owner", &owner) < 0 || owner > UINT32_MAX || get_number(entry, "n", &n) < 0 ||
            get_number(entry, "last", &last) < 0 || get_number(entry, "begun", &begun) < 0 ||
            get_number(entry, "last_realtime", &last_realtime) < 0 ||
            get_number(entry, "begun_realtime", &begun_realtime) < 0)
                return -EBADMSG;
        if (find(limits, (uid_t) owner, session, watch))
                return -EBADMSG;
        r = append_new(limits, (uid_t) owner, session, watch, &limit);
        if (r < 0)
                return r;
        limit->last_realtime = last_realtime;
        limit->begun_realtime = begun_realtime;
        limit->limit.n = n;
        limit->limit.last = to_clock(now, last_realtime);
        limit->limit.begun = to_clock(now, begun_realtime);
        /* What was before the boot was written as less than 0, and comes back as that. */
        if (same_boot && last + WATCH_CLOCK_BOOT <= now->clock)
                limit->limit.last = last + WATCH_CLOCK_BOOT;
        if (same_boot && begun + WATCH_CLOCK_BOOT <= now->clock)
                limit->limit.begun = begun + WATCH_CLOCK_BOOT;
        return 0;
}

int watch_limits_parse(const char *text, const char *origin, const WatchTime *now, Error *error, WatchLimits *ret) {
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 };
        CLEANUP_JSON struct json_object *object = NULL;
        struct json_object *array;
        const char *boot_id;
        bool same_boot;
        int r;

        r = json_text_parse(text, origin, error, &object);
        if (r < 0)
                return r;
        if (json_text_get_string(json_object_object_get(object, "boot_id"), &boot_id) < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: boot_id is no string", origin);
        same_boot = strcmp(boot_id, now->boot_id) == 0;
        if (!json_object_object_get_ex(object, "watches", &array) || !json_object_is_type(array, json_type_array))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: watches is no array", origin);
        if (json_object_array_length(array) > WATCH_LIMITS_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: watches has more than %u entries", origin,
                                 WATCH_LIMITS_MAX);
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                r = parse_limit(json_object_array_get_idx(array, i), same_boot, now, &limits);
                if (r == -EBADMSG)
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "%s: watches: entry %zu is none, or there twice", origin, i + 1);
                if (r < 0)
                        return error_set_errno(error, r, "%s", origin);
        }
        *ret = limits;
        limits = (WatchLimits){ 0 };
        return 0;
}
