/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "ktraced/clock.h"
#include "model/budgets.h"
#include "model/capture-directory.h"
#include "model/capture-list.h"
#include "model/manager.h"
#include "model/marker.h"
#include "model/overhead.h"
#include "model/ring-keeper.h"
#include "model/session-run.h"
#include "model/snapshot-list.h"
#include "model/source.h"
#include "model/watch-list.h"

/* The end of a run */

/* The last step of a run: the session may be freed by those who waited for it. */
static void run_over(Session *session) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Manager *manager = session->manager;

        error_move(&error, &session->run_error);
        session->end_wanted = false;
        watches_stop(session);
        free(STEAL_PTR(session->end_reason));
        session->duration_timer = sd_event_source_disable_unref(session->duration_timer);
        session_close_markers(session);
        ring_keeper_free(STEAL_PTR(session->ring_keeper));
        overhead_free(STEAL_PTR(session->overhead));
        metadata_free(STEAL_PTR(session->run_metadata));
        if (session->spec->output < 0)
                capture_directory_discard(manager, STEAL_PTR(session->run_capture_id));
        free(STEAL_PTR(session->run_capture_id));
        closep(&session->run_dir_fd);
        session->run_dir_fd = -1;
        session->stopped = clock_usec(CLOCK_REALTIME);

        if (session_reload_go_on(session, &error))
                return;
        if (error.code != ERROR_NONE) {
                session_set_reason(session, error_text(&error));
                session_set_state(session, SESSION_FAILED);
                manager_notice(manager, LOG_ERR, session, session->capture, "Session failed: %s", error_text(&error));
        } else {
                /* By way of stopping, also when it ended by itself. */
                if (session->state == SESSION_ACTIVE)
                        session_set_state(session, SESSION_STOPPING);
                session_set_state(session, SESSION_STOPPED);
        }
        session_answer_all(session, &error);
        manager_check_shutdown(manager);
}

static void run_failed(Session *session, int r, const Error *error) {
        if (session->run_error.code == ERROR_NONE) {
                if (error && error->code != ERROR_NONE)
                        (void) error_set(&session->run_error, error->code, "%s", error_text(error));
                else
                        (void) error_set_errno(&session->run_error, r, "Cannot start the session");
        }
        run_over(session);
}

void session_source_failed(Session *session, int r, const Error *error) {
        run_failed(session, r, error);
}

void session_source_gone(Session *session) {
        run_over(session);
}

/* The beginning */

static int make_sink(Session *session, const Instance *instance, Error *error, Sink **ret) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        CLEANUP(sink_freep) Sink *sink = NULL;
        CLEANUP_CLOSE int output = -1;

        int r = capture_metadata_make(session, session->run_capture_id, instance, &metadata);
        if (r >= 0)
                r = metadata_copy(metadata, &session->run_metadata);
        if (r < 0)
                return error_set_errno(error, r, "Cannot describe the capture");
        if (session->spec->output >= 0) {
                output = fcntl(session->spec->output, F_DUPFD_CLOEXEC, 3);
                if (output < 0)
                        return error_set_errno(error, -errno, "Cannot keep the output file");
        }

        r = sink_new(
                &(SinkConfig){
                        .dir_fd = steal_fd(&session->run_dir_fd),
                        .output_fd = steal_fd(&output),
                        .segment_size = session->spec->segment_size,
                        .segment_age = session->spec->segment_age,
                        .segments_max = session->spec->segments,
                        .metadata = metadata,
                },
                error, &sink);
        if (r < 0)
                return r;
        STEAL_PTR(metadata);
        *ret = STEAL_PTR(sink);
        return 0;
}

/* Leaves the source and ends the run, now or when the source is gone. */
static void leave_source(Session *session) {
        if (!source_leave(session->source, session))
                run_over(session);
}

void session_source_running(Session *session) {
        CLEANUP(sink_freep) Sink *sink = NULL;
        int r;

        /* It records into the kernel's buffers: PUMP_RING_READY follows. */
        if (spec_is_ring(session->spec))
                return;
        r = make_sink(session, session->source->instance, &session->run_error, &sink);
        if (r >= 0) {
                session->sink_id = ++session->manager->last_sink_id;
                r = pump_add_sink(session->source->pump, session->sink_id, sink);
        }
        if (r >= 0) {
                STEAL_PTR(sink);
                return;
        }
        (void) error_set_errno(&session->run_error, r, "Cannot start the session");
        leave_source(session);
}

static void find_source(Session *session) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *key = NULL;

        int r = spec_source_key(session->spec, &key);
        Source *source = r < 0 ? NULL : source_find(session->manager, key);
        if (source) {
                source_join(source, session);
                if (source_is_running(source))
                        session_source_running(session);
                return;
        }
        if (r >= 0)
                r = source_new(session->manager, session, key, &error, &source);
        if (r < 0) {
                run_failed(session, r, &error);
                return;
        }
        STEAL_PTR(key);
}

static void on_directory(int r, const Error *error, void *result, void *userdata) {
        CaptureDirectory *directory = result;
        Session *session = userdata; /* one that is starting is not freed */

        if (r < 0) {
                run_failed(session, r, error);
                return;
        }
        session->run_capture_id = STEAL_PTR(directory->id);
        session->run_dir_fd = steal_fd(&directory->fd);
        find_source(session);
}

static void run_begin(Session *session) {
        int r;

        if (spec_is_ring(session->spec)) {
                find_source(session);
                return;
        }
        if (session->spec->output < 0) {
                capture_directory_make(session->manager, on_directory, session);
                return;
        }
        r = store_make_id(&session->run_capture_id);
        if (r < 0)
                run_failed(session, r, NULL);
        else
                find_source(session);
}

void session_watches_ready(Session *session) {
        if (session->run_error.code == ERROR_NONE)
                run_begin(session);
        else
                run_over(session);
}

void session_run(Session *session) {
        error_clear(&session->run_error);
        session_set_reason(session, NULL);
        session->events = session->bytes = session->lost = 0;
        session->started = session->stopped = 0;
        free(STEAL_PTR(session->losses));
        strv_free(STEAL_PTR(session->thinned));
        session->n_losses = 0;
        session->ring = (RingMeasure){ 0 };
        session_set_state(session, SESSION_STARTING);
        watches_start(session);
}

/* While it runs */

static int on_duration(sd_event_source *source, uint64_t usec, void *userdata) {
        Session *session = userdata;

        session_stop(session, "duration", model_done_ignore, NULL);
        return 0;
}

static int arm_duration(Session *session) {
        if (session->spec->duration == 0)
                return 0;
        return sd_event_add_time_relative(session->manager->event, &session->duration_timer, CLOCK_MONOTONIC,
                                          session->spec->duration, 0, on_duration, session);
}

void session_end(Session *session, const char *reason) {
        if (session->state == SESSION_STARTING && !session->end_wanted) {
                session->end_wanted = true;
                session->end_reason = strdup(reason);
        }
        if (session->state != SESSION_ACTIVE)
                return;

        session_set_reason(session, reason);
        session_set_state(session, SESSION_STOPPING);
        session->duration_timer = sd_event_source_disable_unref(session->duration_timer);
        session_close_markers(session);
        ring_keeper_free(STEAL_PTR(session->ring_keeper));
        overhead_free(STEAL_PTR(session->overhead));
        if (spec_is_ring(session->spec)) {
                snapshots_hurry(session);
                session_end_ring(session);
        } else if (source_end_sink(session->source, session, reason) < 0)
                manager_notice(session->manager, LOG_ERR, session, session->capture, "Out of memory while stopping");
}

void session_tracing_lost(Session *session) {
        /* One that starts would record nothing: it ends as soon as it has begun. */
        if (session->state != SESSION_STARTING && session->state != SESSION_ACTIVE)
                return;
        if (instance_gave_up(session->source->instance)) {
                (void) error_set(&session->run_error, ERROR_OUT_OF_SCOPE,
                                 "The recording was ended, since processes that came and went while one was added "
                                 "could not be told from those of others");
                session_end(session, "processes could not be told from those of others");
                return;
        }
        (void) error_set(&session->run_error, ERROR_FAILED, "Another tool switched tracing off in %s",
                         instance_name(session->source->instance));
        session_end(session, "tracing was switched off by another tool");
}

void session_end_ring(Session *session) {
        if (session->state != SESSION_STOPPING || snapshots_are_pending(session))
                return;
        if (source_end_sink(session->source, session, session->reason ? session->reason : "stopped") < 0)
                manager_notice(session->manager, LOG_ERR, session, session->capture, "Out of memory while stopping");
}

void session_ring_ready(Session *session, int r, Error *error) {
        session->started = clock_usec(CLOCK_REALTIME);
        if (r >= 0) {
                session_set_state(session, SESSION_ACTIVE);
                r = arm_duration(session);
                if (r >= 0)
                        r = ring_keeper_new(session, &session->ring_keeper);
                if (r >= 0)
                        r = overhead_new(session, &session->overhead);
                if (r < 0)
                        (void) error_set_errno(error, r, "Cannot arm the session's timer");
        }
        if (r < 0) {
                if (session->run_error.code == ERROR_NONE)
                        error_move(&session->run_error, error);
                (void) source_end_sink(session->source, session, "failed");
                return;
        }
        if (session->end_wanted)
                session_end(session, session->end_reason ? session->end_reason : "stopped");
        watches_arm(session);
        session_answer(session, WAIT_START, 0, NULL, session);
        session_reload_done(session);
}

void session_ring_measured(Session *session, PumpReport *report) {
        if (report->r >= 0)
                session->ring = report->measure;
        if (session->ring_keeper && report->sink_id == RING_KEEPER_TAG)
                ring_keeper_measured(session->ring_keeper, report);
        session_answer(session, WAIT_MEASURE, report->r, &report->error, NULL);
}

void session_ring_resized(Session *session, PumpReport *report) {
        if (report->r >= 0)
                session->ring = report->measure;
        if (session->ring_keeper)
                ring_keeper_resized(session->ring_keeper, report);
}

static void handle_ready(Session *session) {
        int r;

        if (session->capture && session->capture->metadata->external)
                capture_free(session->capture);
        session->capture = NULL;
        session->started = clock_usec(CLOCK_REALTIME);
        free(STEAL_PTR(session->run_capture_id));
        r = capture_new(session->manager, STEAL_PTR(session->run_metadata), &session->capture);
        session_set_state(session, SESSION_ACTIVE);
        if (r >= 0)
                r = arm_duration(session);
        if (r >= 0)
                r = overhead_new(session, &session->overhead);
        if (r < 0) {
                (void) error_set_errno(&session->run_error, r, "Cannot start the session");
                session_end(session, "out of memory");
                return;
        }
        if (session->end_wanted)
                session_end(session, session->end_reason ? session->end_reason : "stopped");
        watches_arm(session);
        session_answer(session, WAIT_START, 0, NULL, session);
        session_reload_done(session);
}

static void take_counters(Session *session, PumpReport *report) {
        Manager *manager = session->manager;
        uint64_t n_new = report->lost > session->lost ? report->lost - session->lost : 0;

        session->events = report->events;
        session->bytes = report->bytes;
        session->lost = report->lost;
        if (report->losses) {
                free(session->losses);
                session->losses = STEAL_PTR(report->losses);
                session->n_losses = report->n_losses;
        }
        if (session->capture)
                capture_progress(session->capture, report->events, report->bytes, report->lost, report->open_segment);
        session_set_state(session, session->state);
        if (n_new > 0 && manager->observer->session_lost_events)
                manager->observer->session_lost_events(session, n_new, manager->observer_userdata);
}

static void handle_closed(Session *session, PumpReport *report) {
        bool was_listed = session->state != SESSION_STARTING;

        if (was_listed) {
                take_counters(session, report);
                if (session->capture)
                        capture_closed(session->capture, STEAL_PTR(report->metadata));
        }
        if (report->r < 0 && session->run_error.code == ERROR_NONE) {
                error_move(&session->run_error, &report->error);
                (void) error_set_errno(&session->run_error, report->r, "Writing the capture failed");
        }
        if (session->state == SESSION_ACTIVE)
                session_set_state(session, SESSION_STOPPING);
        leave_source(session);
}

/* The session may be gone afterwards. */
void session_handle_report(Session *session, PumpReport *report) {
        switch (report->type) {
        case PUMP_SINK_READY:
                handle_ready(session);
                break;
        case PUMP_PROGRESS:
                take_counters(session, report);
                overhead_look(session->overhead, report->events + report->lost);
                manager_check_growth(session);
                break;
        case PUMP_SEGMENT_CLOSED:
                if (session->capture)
                        capture_segment_closed(session->capture, &report->segment, session->spec->segments);
                manager_check_growth(session);
                break;
        case PUMP_ROTATED:
                session_answer_oldest(session, WAIT_ROTATE, report->r, &report->error);
                break;
        case PUMP_CLEARED:
                if (report->r >= 0 && session->capture)
                        capture_cleared(session->capture);
                session_answer_oldest(session, WAIT_CLEAR, report->r, &report->error);
                break;
        case PUMP_SINK_CLOSED:
                handle_closed(session, report);
                break;
        case PUMP_RING_READY:
        case PUMP_MEASURED:
        case PUMP_RESIZED:
        case PUMP_TRACING_LOST:
        case PUMP_FINISHED:
                break;
        }
}
