/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * MonitorEvent: one thing that happened to a session, a capture or the daemon, as `ktracectl monitor` prints it.
 *
 * Life cycle: monitor_event_read() or monitor_event_new() makes one; whoever asks the daemon fills in what a signal
 * does not carry, since everybody hears signals; monitor_event_print(); monitor_event_free().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/options.h"
#include "ktraced/cleanup.h"

typedef enum MonitorObject {
        MONITOR_DAEMON,
        MONITOR_SESSION,
        MONITOR_CAPTURE,
} MonitorObject;

typedef enum MonitorKind {
        MONITOR_NEW,
        MONITOR_REMOVED,
        MONITOR_STATE,
        MONITOR_LOST,  /* events */
        MONITOR_FIRED, /* a watch */
        MONITOR_OVERHEAD,
        MONITOR_GONE, /* the daemon, as the next two */
        MONITOR_BACK,
        MONITOR_ABSENT, /* from the beginning */
} MonitorKind;

typedef struct MonitorEvent {
        STAILQ_ENTRY(MonitorEvent) events;
        uint64_t time; /* CLOCK_REALTIME, usec: when it was heard of */
        MonitorObject object;
        MonitorKind kind;
        char *id;                /* NULL for the daemon */
        char *state;             /* MONITOR_STATE; what was done, of MONITOR_OVERHEAD */
        uint64_t rate, share;    /* MONITOR_OVERHEAD: events a second; of the CPUs, in millionths */
        uint64_t n_new, n_total; /* MONITOR_LOST, and n_total of MONITOR_FIRED */
        char *session_id;        /* of a capture; NULL: not known, as for the next ones */
        char *name;              /* of the session, or of the capture's */
        char *reason;            /* why a capture ended, or was made */
} MonitorEvent;

/* `id` may be NULL, and is copied. */
int monitor_event_new(MonitorObject object, MonitorKind kind, const char *id, MonitorEvent **ret);
void monitor_event_free(MonitorEvent *event);
DEFINE_POINTER_CLEANUP(MonitorEvent, monitor_event_free);

/* From a signal of ktraced's. 0, and *ret untouched, when it says nothing of interest; else 1. */
int monitor_event_read(sd_bus_message *message, MonitorEvent **ret);

/* A line: for people, or an object in JSON. -errno when standard output does not take it. */
int monitor_event_print(const MonitorEvent *event, const Globals *globals);
