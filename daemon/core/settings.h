/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Settings of the daemon, from /etc/ktraced/ktraced.json and its drop-ins; the defaults stand in the
 * code and in ktraced.json(5).
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* The most that measurements_max can be. */
#define SETTINGS_MEASUREMENTS_MAX 16

typedef struct Settings {
        uint64_t sessions_max; /* in all */
        uint64_t sessions_per_user_max;
        uint64_t buffer_memory_max; /* bytes of kernel ring buffer in all sources, times CPUs; 0: see quota.h */
        uint64_t buffer_memory_per_user_max, memory_keep_available; /* likewise */
        uint64_t segments_max, segments_per_user_max;               /* files; 0: no limit */
        uint64_t histograms_max, histograms_per_user_max;
        uint64_t probes_max, probes_per_user_max;
        uint64_t markers_max, markers_per_user_max;
        uint64_t streams_max, streams_per_user_max;
        uint64_t measurements_max, measurements_per_user_max;
        uint64_t requests_max, requests_per_user_max; /* a second */
        uint64_t signals_max, signals_per_user_max;   /* a second */
        uint64_t buffer_size;                         /* default for a session: bytes for each CPU */
        uint64_t segment_size;                        /* default for a session: bytes */
        uint64_t authorization_timeout;               /* usec to wait for polkit's answer */
        uint64_t authorizations_max;                  /* pending polkit checks in all */
        uint64_t authorizations_per_user_max;
        /* Defaults for a session, as in its spec; and the most that one of scope "self" may ask for. */
        uint64_t max_event_rate, max_cpu_share, overhead_grace;
        uint64_t self_max_event_rate, self_max_cpu_share;
        uint64_t self_buffer_size;     /* the default of sessions of scope "self" */
        uint64_t self_buffer_size_max; /* and the most that they may ask for */
        char *clock;                   /* default for a session */
        char *previous_boot_instance;  /* of the trace instance that outlives a reboot; "": none */
        char *overhead_policy;         /* default for a session, see overhead-guard.h */
        char **safe_events;            /* patterns, what scope "self" may record beside safe-events.h */
        /* What the captures in the store may take; see retention.h. 0: no limit. */
        uint64_t captures_max_use, captures_max_use_per_user; /* bytes */
        uint64_t captures_keep_free;                          /* bytes, at most a tenth of the file system */
        uint64_t captures_max_files;
        uint64_t captures_max_age; /* usec */
        bool captures_compress;    /* closed segments, in the background */
        uint64_t latency_renewal;  /* usec; see event_watch_renew() */
} Settings;

int settings_init(Settings *settings); /* the defaults */
void settings_clear(Settings *settings);
/* Changes only the keys that `text` has. An unknown key or wrong type is ERROR_INVALID_ARGUMENT with
 * "origin:line: ". On failure `settings` is unchanged. */
int settings_parse(Settings *settings, const char *text, const char *origin, Error *error);
/* When all files have been read: ERROR_INVALID_ARGUMENT for settings that contradict each other. */
int settings_check(const Settings *settings, Error *error);

/* All of them as a JSON object, sizes in bytes and spans in microseconds; what is left open is 0. -ENOMEM. */
int settings_describe(const Settings *settings, struct json_object **ret);
