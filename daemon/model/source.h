/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Source: one kernel trace instance with its pump, and the sessions that share it. Used by the model only.
 *
 * Life cycle: a session that starts finds a source with its key, or makes one: setting up (kernel worker)
 * -> running -> draining (the pump finishes its sinks) -> tearing down (kernel worker) -> freed. The last
 * session that leaves begins the draining.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "capture/pump.h"
#include "core/event.h"
#include "kernel/buffer-meter.h"
#include "kernel/instance.h"
#include "kernel/probe-set.h"
#include "kernel/task-group.h"
#include "model/session.h"

typedef enum SourceState {
        SOURCE_SETTING_UP,
        SOURCE_RUNNING,
        SOURCE_DRAINING,
        SOURCE_TEARING_DOWN,
} SourceState;

struct Source {
        LIST_ENTRY(Source) sources;
        Manager *manager;
        SourceState state;
        char *key;  /* NULL: not shared */
        char *name; /* of the instance, without prefix */
        Instance *instance;
        ProbeSet *probes;   /* of the only sharer; NULL: none */
        TaskGroup *group;   /* likewise */
        BufferMeter *meter; /* of a ring with a budget, see overhead.h; or NULL */
        sd_event_source *group_timer;
        Pump *pump;
        sd_event_source *pump_source;
        uid_t owner;            /* of the first sharer, to whom the buffers count */
        unsigned n_buffers;     /* that the kernel keeps of each size */
        uint64_t buffer_memory; /* reserved: bytes for each CPU times CPUs */
        struct SessionList sharers;
        Session *last; /* has left, but ends only when the source is gone */
};

/* One that sets up or runs and has this key; NULL when there is none, or `key` is NULL. */
Source *source_find(Manager *manager, const char *key);

/* Makes one for `session`, as its first sharer, and begins to set it up. Takes `key` (may be NULL) over on
 * success. session_source_running() or session_source_failed() is called for each sharer then.
 * ERROR_QUOTA_EXCEEDED. */
int source_new(Manager *manager, Session *session, char *key, Error *error, Source **ret);

/* What the buffers of a session by that spec take on all CPUs. */
uint64_t source_memory(const Spec *spec);

/* Takes memory for buffers of that size, bytes for each CPU, before they are made larger. ERROR_QUOTA_EXCEEDED. */
int source_reserve(Source *source, uint64_t buffer_size, Error *error);
/* The buffers have that size now. */
void source_settle(Source *source, uint64_t buffer_size);

/* Adds a sharer. */
void source_join(Source *source, Session *session);
/* The session leaves; true: it was the last, the source is being torn down, and session_source_gone() will
 * be called. */
bool source_leave(Source *source, Session *session);
/* Begins to end the session's sink; its last report follows. */
int source_end_sink(Source *source, Session *session, const char *reason);

bool source_is_running(const Source *source);
void source_free(Source *source);
