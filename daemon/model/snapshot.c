/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/snapshot.h"
#include "core/strv.h"

#include <errno.h>
#include <string.h>

#include "model/capture-directory.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/ring-keeper.h"
#include "model/session-run.h"
#include "model/snapshot-list.h"
#include "model/source.h"

/* The capture in a ring: page for page what the buffers held, and a little more of what came while they were
 * drained, and what was taken over from the snapshot before. */
#define SEGMENT_BUFFERS 4U

struct Snapshot {
        LIST_ENTRY(Snapshot) snapshots; /* of the session */
        Session *session;
        char *reason;
        char **journal;
        sd_event_source *timer;    /* NULL unless it waits for its time */
        uint64_t sink_id;          /* 0: not at the pump yet */
        CaptureMetadata *metadata; /* becomes the capture */
        char *capture_id;
        ModelDone done;
        void *userdata;
};

static void snapshot_free(Snapshot *snapshot) {
        sd_event_source_disable_unref(snapshot->timer);
        metadata_free(snapshot->metadata);
        free(snapshot->capture_id);
        free(snapshot->reason);
        strv_free(snapshot->journal);
        free(snapshot);
}

static void snapshot_end(Snapshot *snapshot, int r, const Error *error, Capture *capture) {
        LIST_REMOVE(snapshot, snapshots);
        snapshot->done(r, error, capture, snapshot->userdata);
        snapshot_free(snapshot);
}

static void snapshot_fail(Snapshot *snapshot, int r, const Error *error) {
        CLEANUP(error_clear) Error failure = ERROR_INIT;
        Session *session = snapshot->session;

        if (error && error->code != ERROR_NONE)
                r = error_set(&failure, error->code, "%s", error_text(error));
        else
                r = error_set_errno(&failure, r, "Cannot take a snapshot");
        manager_notice(session->manager, LOG_ERR, session, NULL, "Snapshot failed: %s", error_text(&failure));
        snapshot_end(snapshot, r, &failure, NULL);
        /* A stop may have waited for it. */
        session_end_ring(session);
}

static int make_sink(Snapshot *snapshot, CaptureDirectory *directory, Error *error, Sink **ret) {
        const Instance *instance = snapshot->session->source->instance;
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        uint64_t buffers = instance_buffer_size(instance) * instance_cpus(instance)->n_cpus;

        int r = capture_metadata_make(snapshot->session, directory->id, instance, &metadata);
        if (r >= 0)
                r = strv_copy(snapshot->journal, &metadata->journal);
        if (r >= 0)
                r = metadata_copy(metadata, &snapshot->metadata);
        if (r < 0)
                return error_set_errno(error, r, "Cannot describe the capture");
        r = sink_new(
                &(SinkConfig){
                        .dir_fd = steal_fd(&directory->fd),
                        .output_fd = -1,
                        .segment_size = SEGMENT_BUFFERS * buffers,
                        .metadata = metadata,
                },
                error, ret);
        if (r >= 0)
                STEAL_PTR(metadata);
        return r;
}

static void on_directory(int r, const Error *error, void *result, void *userdata) {
        CLEANUP(error_clear) Error failure = ERROR_INIT;
        CLEANUP(sink_freep) Sink *sink = NULL;
        CaptureDirectory *directory = result;
        Snapshot *snapshot = userdata;
        Session *session = snapshot->session;

        if (r < 0) {
                snapshot_fail(snapshot, r, error);
                return;
        }
        snapshot->capture_id = strdup(directory->id);
        r = snapshot->capture_id ? make_sink(snapshot, directory, &failure, &sink) : -ENOMEM;
        if (r >= 0) {
                snapshot->sink_id = ++session->manager->last_sink_id;
                r = pump_snapshot(session->source->pump, snapshot->sink_id,
                                  snapshot->reason ? snapshot->reason : "snapshot", sink);
        }
        if (r < 0) {
                capture_directory_discard(session->manager, STEAL_PTR(directory->id));
                snapshot_fail(snapshot, r, &failure);
                return;
        }
        STEAL_PTR(sink);
        session_end_ring(session);
}

static void snapshot_begin(Snapshot *snapshot) {
        snapshot->timer = sd_event_source_disable_unref(snapshot->timer);
        capture_directory_make(snapshot->session->manager, on_directory, snapshot);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        snapshot_begin(userdata);
        return 0;
}

static int check_state(const Session *session, Error *error) {
        const Snapshot *snapshot;
        size_t n = 0;

        if (!spec_is_ring(session->spec))
                return error_set(error, ERROR_WRONG_STATE,
                                 "Cannot take a snapshot of session '%s': it is no ring but records continuously",
                                 session->name);
        if (session->state != SESSION_ACTIVE)
                return error_set(error, ERROR_WRONG_STATE, "Cannot take a snapshot of session '%s': it is %s",
                                 session->name, session_state_to_string(session->state));
        LIST_FOREACH(snapshot, &session->snapshots, snapshots)
                n++;
        if (n >= SNAPSHOTS_PENDING_MAX)
                return error_set(error, ERROR_BUSY, "%zu snapshots of session '%s' are under way", n, session->name);
        return 0;
}

static int snapshot_new(Session *session, const SnapshotOptions *options, Snapshot **ret) {
        Snapshot *snapshot = calloc(1, sizeof(*snapshot));
        int r = 0;

        if (!snapshot)
                return -ENOMEM;
        snapshot->session = session;
        if (options->reason) {
                snapshot->reason = strdup(options->reason);
                if (!snapshot->reason)
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = strv_copy(options->journal, &snapshot->journal);
        if (r >= 0 && options->after > 0)
                r = sd_event_add_time_relative(session->manager->event, &snapshot->timer, CLOCK_MONOTONIC,
                                               options->after, 0, on_time, snapshot);
        if (r < 0) {
                snapshot_free(snapshot);
                return r;
        }
        *ret = snapshot;
        return 0;
}

void session_snapshot(Session *session, const SnapshotOptions *options, ModelDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Snapshot *snapshot;

        int r = check_state(session, &error);
        if (r >= 0) {
                r = snapshot_new(session, options, &snapshot);
                if (r < 0)
                        (void) error_set_errno(&error, r, "Cannot take a snapshot");
        }
        if (r < 0) {
                done(r, &error, NULL, userdata);
                return;
        }
        snapshot->done = done;
        snapshot->userdata = userdata;
        LIST_INSERT_HEAD(&session->snapshots, snapshot, snapshots);
        if (!snapshot->timer)
                snapshot_begin(snapshot);
}

void manager_snapshot_all(Manager *manager, const char *reason) {
        const SnapshotOptions options = { .reason = reason };
        Session *session;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (session->state == SESSION_ACTIVE && spec_is_ring(session->spec))
                        session_snapshot(session, &options, model_done_ignore, NULL);
}

Snapshot *snapshot_find(Session *session, uint64_t sink_id) {
        Snapshot *snapshot;

        LIST_FOREACH(snapshot, &session->snapshots, snapshots)
                if (snapshot->sink_id == sink_id)
                        return snapshot;
        return NULL;
}

/* The capture can have been deleted meanwhile: it is looked for each time. */
static Capture *find_capture(const Snapshot *snapshot) {
        return capture_find(snapshot->session->manager, snapshot->capture_id);
}

static void handle_closed(Snapshot *snapshot, PumpReport *report) {
        Session *session = snapshot->session;
        Capture *capture = find_capture(snapshot);

        if (capture)
                capture_closed(capture, STEAL_PTR(report->metadata));
        if (report->r < 0 || !capture) {
                if (!capture)
                        capture_directory_discard(session->manager, STEAL_PTR(snapshot->capture_id));
                snapshot_fail(snapshot, report->r < 0 ? report->r : -ENOMEM, &report->error);
                return;
        }
        if (session->ring_keeper)
                ring_keeper_snapshot_taken(session->ring_keeper);
        session->capture = capture;
        session->events = report->events;
        session->bytes = report->bytes;
        session->lost = report->lost;
        session_set_state(session, session->state);
        manager_notice(session->manager, LOG_INFO, session, capture, "Snapshot taken: %s",
                       snapshot->reason ? snapshot->reason : "asked for");
        snapshot_end(snapshot, 0, NULL, capture);
}

void snapshot_handle_report(Snapshot *snapshot, PumpReport *report) {
        Capture *capture;

        switch (report->type) {
        case PUMP_SINK_READY:
                (void) capture_new(snapshot->session->manager, STEAL_PTR(snapshot->metadata), &capture);
                break;
        case PUMP_SEGMENT_CLOSED:
                capture = find_capture(snapshot);
                if (capture)
                        capture_segment_closed(capture, &report->segment, 0);
                break;
        case PUMP_SINK_CLOSED:
                handle_closed(snapshot, report);
                break;
        default:
                break;
        }
}

void snapshots_drop(Session *session) {
        Snapshot *snapshot;

        while ((snapshot = LIST_FIRST(&session->snapshots))) {
                LIST_REMOVE(snapshot, snapshots);
                snapshot_free(snapshot);
        }
}

void snapshots_hurry(Session *session) {
        Snapshot *snapshot, *next;

        for (snapshot = LIST_FIRST(&session->snapshots); snapshot; snapshot = next) {
                next = LIST_NEXT(snapshot, snapshots);
                if (snapshot->timer)
                        snapshot_begin(snapshot);
        }
}

bool snapshots_are_taken(const Session *session) {
        const Snapshot *snapshot;

        LIST_FOREACH(snapshot, &session->snapshots, snapshots)
                if (snapshot->sink_id != 0)
                        return true;
        return false;
}

bool snapshots_are_pending(const Session *session) {
        const Snapshot *snapshot;

        LIST_FOREACH(snapshot, &session->snapshots, snapshots)
                if (snapshot->sink_id == 0)
                        return true;
        return false;
}
