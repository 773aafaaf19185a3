/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The JSON descriptions of manager and session: declared beside their types, in manager.h and session.h. */

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "config.h"
#include "core/spec-json.h"
#include "core/strv.h"
#include "kernel/probe-set.h"
#include "ktraced/clock.h"
#include "model/budgets.h"
#include "model/manager.h"
#include "model/overhead.h"
#include "model/ring-keeper.h"
#include "model/source.h"
#include "model/watch-list.h"

static int to_text(struct json_object *object, char **ret) {
        char *text = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));

        json_object_put(object);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static void add_string(struct json_object *object, const char *key, const char *value) {
        json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t value) {
        json_object_object_add(object, key, json_object_new_uint64(value));
}

static struct json_object *describe_losses(const Session *session) {
        struct json_object *losses = json_object_new_array();

        for (size_t i = 0; i < session->n_losses; i++) {
                struct json_object *loss = json_object_new_object();

                add_number(loss, "cpu", session->losses[i].cpu);
                add_number(loss, "lost", session->losses[i].lost);
                json_object_array_add(losses, loss);
        }
        return losses;
}

static int add_probe_files(struct json_object *object, const Spec *spec) {
        CLEANUP(strv_freep) char **paths = NULL;
        struct json_object *array;
        int r = probe_set_read_files(spec, &paths);

        if (r < 0 || !paths)
                return r;
        array = json_object_new_array();
        for (char **path = paths; *path; path++)
                json_object_array_add(array, json_object_new_string(*path));
        json_object_object_add(object, "probe_files", array);
        return 0;
}

/* Those that the ring reaches back to, by the clock of the day, as far as that is known. */
static struct json_object *describe_gaps(const RingKeeper *keeper, uint64_t held) {
        uint64_t now = clock_usec(CLOCK_REALTIME), begin = held < now ? now - held : 0;
        struct json_object *gaps = json_object_new_array();

        for (size_t i = 0; i < keeper->n_gaps; i++) {
                const RecordingGap *gap = &keeper->gaps[i];
                struct json_object *object;

                if (gap->start_realtime + gap->gap_usec < begin)
                        continue;
                object = json_object_new_object();
                add_number(object, "start_realtime", gap->start_realtime);
                add_number(object, "gap_usec", gap->gap_usec);
                json_object_array_add(gaps, object);
        }
        return gaps;
}

static struct json_object *describe_ring(const Session *session) {
        struct json_object *object = json_object_new_object();
        const RingMeasure *ring = &session->ring;

        add_number(object, "capacity", ring->capacity);
        add_number(object, "fill", ring->fill);
        if (ring->held != RING_UNKNOWN)
                add_number(object, "held", ring->held);
        if (session->ring_keeper) {
                add_number(object, "window", session->ring_keeper->window.window);
                add_number(object, "most", session->spec->ring_size);
                json_object_object_add(object, "sufficient",
                                       json_object_new_boolean(!session->ring_keeper->window.is_short));
                add_number(object, "resized", session->ring_keeper->n_resized);
                json_object_object_add(object, "gaps", describe_gaps(session->ring_keeper, ring->held));
        }
        return object;
}

static struct json_object *describe_thinned(const Session *session) {
        struct json_object *array = json_object_new_array();

        for (char **event = session->thinned; *event; event++)
                json_object_array_add(array, json_object_new_string(*event));
        return array;
}

int session_describe(const Session *session, char **ret) {
        struct json_object *spec, *overhead = NULL;

        int r = spec_to_json(session->spec, &spec);
        if (r < 0)
                return r;

        struct json_object *object = json_object_new_object();
        add_string(object, "id", session->id);
        add_string(object, "name", session->name);
        add_number(object, "owner", session->owner);
        add_string(object, "state", session_state_to_string(session->state));
        add_string(object, "reason", session->reason);
        add_string(object, "mode", spec_is_ring(session->spec) ? "ring" : "stream");
        add_string(object, "scope", spec_scope(session->spec));
        add_number(object, "created", session->created);
        add_number(object, "started", session->started);
        add_number(object, "stopped", session->stopped);
        add_number(object, "events", session->events);
        add_number(object, "bytes", session->bytes);
        add_number(object, "lost", session->lost);
        json_object_object_add(object, "losses", describe_losses(session));
        add_string(object, "capture", session->capture ? session->capture->metadata->id : NULL);
        if (session->source && session->source->instance) {
                add_string(object, "instance", instance_name(session->source->instance));
                add_number(object, "buffer_size", instance_buffer_size(session->source->instance));
        }
        if (session->ring.capacity > 0 && session->state == SESSION_ACTIVE)
                json_object_object_add(object, "ring", describe_ring(session));
        if (session->overhead)
                r = overhead_describe(session->overhead, &overhead);
        if (r >= 0 && session->overhead)
                json_object_object_add(object, "overhead", overhead);
        if (session->thinned)
                json_object_object_add(object, "thinned", describe_thinned(session));
        if (session->spec->watches)
                json_object_object_add(object, "watches", watches_describe(session));
        json_object_object_add(object, "spec", spec);
        if (r >= 0)
                r = add_probe_files(object, session->spec);
        if (r < 0) {
                json_object_put(object);
                return r;
        }
        return to_text(object, ret);
}

int manager_describe(const Manager *manager, uid_t uid, char **ret) {
        uint64_t n_sessions = 0, n_active = 0, n_captures = 0, n_sources = 0, buffer_memory = 0;
        struct json_object *object, *settings, *budgets;
        Session *session;
        Capture *capture;
        Source *source;

        LIST_FOREACH(session, &manager->sessions, sessions) {
                n_sessions++;
                n_active += session->state == SESSION_ACTIVE;
        }
        LIST_FOREACH(capture, &manager->captures, captures)
                n_captures++;
        LIST_FOREACH(source, &manager->sources, sources) {
                n_sources++;
                buffer_memory += source->buffer_memory;
        }

        int r = settings_describe(&manager->settings, &settings);
        if (r < 0)
                return r;
        r = manager_describe_budgets(manager, uid, &budgets);
        if (r < 0) {
                json_object_put(settings);
                return r;
        }
        object = json_object_new_object();
        add_string(object, "version", KTRACED_VERSION);
        add_number(object, "sessions", n_sessions);
        add_number(object, "sessions_active", n_active);
        add_number(object, "captures", n_captures);
        add_number(object, "sources", n_sources);
        add_number(object, "profiles", manager->profiles ? manager->profiles->n_profiles : 0);
        add_number(object, "buffer_memory", buffer_memory);
        json_object_object_add(object, "budgets", budgets);
        json_object_object_add(object, "settings", settings);
        return to_text(object, ret);
}
