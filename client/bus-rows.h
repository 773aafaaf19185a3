/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the listing methods of org.ktraced1.Manager return, and the reading of it from a D-Bus message.
 *
 * Life cycle: declared empty, `= { 0 }`; a bus_read_*() function fills it; the _clear() function frees it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Of a ring that is active. */
typedef struct RingRow {
        uint64_t capacity, fill; /* bytes */
        uint64_t held;           /* usec; 0: not known */
        uint64_t window;         /* usec that are wanted; 0: the size is fixed */
} RingRow;

typedef struct SessionRow {
        char *id;
        char *name; /* "" when the caller may not see it */
        uid_t owner;
        char *state;
        char *mode;
        char *path;
        bool has_ring; /* as the following from the description: bus_session_read_row() */
        RingRow ring;
        bool has_watches;
        uint64_t last_watch; /* when one of its watches was met, usec since the epoch; 0: never, or not known */
        uint64_t next_watch; /* when all are permitted again; 0: they are */
} SessionRow;

typedef struct SessionRows {
        SessionRow *rows;
        size_t n_rows;
} SessionRows;

typedef struct CaptureRow {
        char *id;
        char *session_id;
        char *session_name; /* "" when the caller may not see it */
        uid_t owner;
        char *state;
        uint64_t start; /* realtime, usec */
        uint64_t bytes;
        uint64_t events;
        uint64_t lost;
        uint32_t segments;
        char *path;
} CaptureRow;

typedef struct CaptureRows {
        CaptureRow *rows;
        size_t n_rows;
} CaptureRows;

typedef struct ProfileRow {
        char *name;
        char *description;
} ProfileRow;

typedef struct ProfileRows {
        ProfileRow *rows;
        size_t n_rows;
} ProfileRows;

/* Something that a kernel may or may not offer: `reason` says why it does not; NULL when it does. */
typedef struct FeatureRow {
        char *name;
        char *reason;
} FeatureRow;

typedef struct CapabilityRows {
        FeatureRow *features;
        size_t n_features;
        char **clocks;
        char **options;
} CapabilityRows;

void session_rows_clear(SessionRows *rows);
void capture_rows_clear(CaptureRows *rows);
void profile_rows_clear(ProfileRows *rows);
void capability_rows_clear(CapabilityRows *rows);

/* `message` stands before the value. Errors: -errno of sd-bus. */
int bus_read_strings(sd_bus_message *message, char ***ret);
int bus_read_sessions(sd_bus_message *message, SessionRows *ret);
int bus_read_captures(sd_bus_message *message, CaptureRows *ret);
int bus_read_profiles(sd_bus_message *message, ProfileRows *ret);
int bus_read_capabilities(sd_bus_message *message, CapabilityRows *ret);
