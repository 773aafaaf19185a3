/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens in the model: signals on the bus, entries in the log, the service's status. */

#include <inttypes.h>

#include "bus/bus-capture.h"
#include "bus/bus-manager.h"
#include "bus/bus-session.h"
#include "bus/bus-units.h"
#include "bus/bus.h"
#include "bus/notify.h"
#include "ktraced/messages.h"
#include "model/budgets.h"

static void on_session_new(Session *session, void *userdata) {
        Bus *bus = userdata;

        if (bus->serving)
                bus_manager_emit_session(bus, "SessionNew", session);
        manager_count_signal(session->manager, session->owner);
}

static void log_session(const Bus *bus, int level, const char *message_id, const Session *session, const char *what) {
        const char *reason = session->reason ? session->reason : "unknown";
        const bool is_start = session->state == SESSION_ACTIVE;

        log_write(bus->config.log, level,
                  LOG_FIELDS(.message_id = message_id, .session = session->id, .owner = &session->owner,
                             .capture = session->capture ? session->capture->metadata->id : NULL),
                  "Session %s (%s) of user %u %s%s%s", session->id, session->name, (unsigned) session->owner, what,
                  is_start ? "" : ": ", is_start ? "" : reason);
}

static void log_session_state(const Bus *bus, const Session *session) {
        switch (session->state) {
        case SESSION_ACTIVE:
                log_session(bus, LOG_INFO, KTRACED_MESSAGE_SESSION_STARTED, session, "records");
                break;
        case SESSION_STOPPED:
                log_session(bus, LOG_INFO, KTRACED_MESSAGE_SESSION_STOPPED, session, "stopped");
                break;
        case SESSION_FAILED:
                log_session(bus, LOG_ERR, KTRACED_MESSAGE_SESSION_FAILED, session, "failed");
                break;
        default:
                break;
        }
}

static void on_session_changed(Session *session, bool state_changed, void *userdata) {
        Bus *bus = userdata;

        if (!state_changed)
                return;

        log_session_state(bus, session);
        if (!bus->serving)
                return;

        bus_session_emit_changed(bus, session);
        manager_count_signal(session->manager, session->owner);
        notify_status(bus->manager);
}

static void on_session_lost_events(Session *session, uint64_t n_new, void *userdata) {
        Bus *bus = userdata;

        log_write(bus->config.log, LOG_WARNING,
                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_EVENTS_LOST, .session = session->id,
                             .owner = &session->owner),
                  "Session %s (%s) lost %" PRIu64 " events, %" PRIu64 " in all", session->id, session->name, n_new,
                  session->lost);

        if (bus->serving)
                bus_session_emit_lost(bus, session, n_new);
        manager_count_signal(session->manager, session->owner);
}

static void on_session_removed(Session *session, void *userdata) {
        Bus *bus = userdata;

        if (bus->serving)
                bus_manager_emit_session(bus, "SessionRemoved", session);
        manager_count_signal(session->manager, session->owner);
}

static void on_capture_new(Capture *capture, void *userdata) {
        const CaptureMetadata *metadata = capture->metadata;
        Bus *bus = userdata;

        /* Before, they are those that were found in the store. */
        if (!bus->serving)
                return;

        log_write(bus->config.log, LOG_INFO,
                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_CAPTURE_STARTED, .session = metadata->session_id,
                             .capture = metadata->id, .owner = &metadata->owner),
                  "Capture %s of session %s (%s) begins", metadata->id, metadata->session_id, metadata->session_name);
        bus_manager_emit_capture(bus, "CaptureNew", capture);
        manager_count_signal(bus->manager, metadata->owner);
}

static void on_capture_changed(Capture *capture, void *userdata) {
        Bus *bus = userdata;

        if (bus->serving)
                bus_capture_emit_changed(bus, capture);
        manager_count_signal(capture->manager, capture->metadata->owner);
}

static void on_capture_removed(Capture *capture, void *userdata) {
        const CaptureMetadata *metadata = capture->metadata;
        Bus *bus = userdata;

        if (!bus->serving)
                return;

        log_write(bus->config.log, LOG_INFO,
                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_CAPTURE_REMOVED, .session = metadata->session_id,
                             .capture = metadata->id, .owner = &metadata->owner),
                  "Capture %s is gone", metadata->id);
        bus_manager_emit_capture(bus, "CaptureRemoved", capture);
        manager_count_signal(bus->manager, metadata->owner);
}

static int on_follow_unit(const char *unit, bool on, Error *error, void *userdata) {
        const Bus *bus = userdata;

        if (!bus->units)
                return error_set(error, ERROR_NOT_SUPPORTED, "There is no systemd on this connection");
        if (on)
                return bus_units_follow(bus->units, unit, error);
        bus_units_leave(bus->units, unit);
        return 0;
}

static void on_watch_fired(const Session *session, const char *watch, const char *reason, void *userdata) {
        Bus *bus = userdata;

        log_write(bus->config.log, LOG_NOTICE,
                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_WATCH_FIRED, .session = session->id,
                             .owner = &session->owner),
                  "Session %s (%s): %s", session->id, session->name, reason);
        if (bus->serving)
                bus_session_emit_watch(bus, session);
}

static void on_session_overhead(const Session *session, const char *action, uint64_t rate, uint64_t share,
                                const char *text, void *userdata) {
        Bus *bus = userdata;

        log_write(bus->config.log, LOG_WARNING,
                  LOG_FIELDS(.message_id = KTRACED_MESSAGE_OVERHEAD, .session = session->id,
                             .capture = session->capture ? session->capture->metadata->id : NULL,
                             .owner = &session->owner),
                  "Session %s (%s) is %s", session->id, session->name, text);
        if (bus->serving)
                bus_session_emit_overhead(bus, session, action, rate, share);
        manager_count_signal(session->manager, session->owner);
}

static void on_notice(int priority, const Session *session, const Capture *capture, const char *text,
                      void *userdata) {
        const Bus *bus = userdata;

        log_write(bus->config.log, priority,
                  LOG_FIELDS(.session = session ? session->id : NULL,
                             .capture = capture ? capture->metadata->id : NULL,
                             .owner = session ? &session->owner : NULL),
                  "%s", text);
}

const ManagerObserver bus_observer = {
        .session_new = on_session_new,
        .session_changed = on_session_changed,
        .session_lost_events = on_session_lost_events,
        .session_removed = on_session_removed,
        .capture_new = on_capture_new,
        .capture_changed = on_capture_changed,
        .capture_removed = on_capture_removed,
        .follow_unit = on_follow_unit,
        .watch_fired = on_watch_fired,
        .session_overhead = on_session_overhead,
        .notice = on_notice,
};
