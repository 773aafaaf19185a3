/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Source: one kernel trace instance with its pump, and the sessions that share it. Used by the model only.
 *
 * Life cycle: a session that starts looks for a source with its key, or makes one: setting up (kernel
 * worker) -> running -> draining (the pump finishes its sinks) -> tearing down (kernel worker) -> freed.
 * The last session that leaves begins the draining.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "capture/pump.h"
#include "core/event.h"
#include "kernel/instance.h"
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
        Pump *pump;
        sd_event_source *pump_events;
        uint64_t buffer_memory; /* reserved: bytes for each CPU times CPUs */
        struct SessionList sharers;
};
