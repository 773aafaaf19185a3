/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusPolkit: questions to polkit (org.freedesktop.PolicyKit1.Authority.CheckAuthorization), asynchronous,
 * bounded in number for each user and in all, and withdrawn when they take too long or who they are about
 * has left. Those of one user are put to polkit one after another, unless one takes long. No answer is kept.
 *
 * Life cycle: bus_polkit_new(); bus_polkit_check(); bus_polkit_cancel_peer() when a peer has left;
 * bus_polkit_free() drops what is pending without calling back.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "core/error.h"
#include "core/settings.h"

typedef struct BusPolkit BusPolkit;

/* `r` is 0 for yes. ERROR_ACCESS_DENIED: no, or there is no polkit; ERROR_INTERACTION_REQUIRED: polkit
 * would ask a person, but may or can not; ERROR_QUOTA_EXCEEDED; ERROR_TIMED_OUT; ERROR_CANCELLED: the peer
 * has left. */
typedef void (*BusPolkitDone)(int r, const Error *error, void *userdata);

typedef struct BusPolkitQuestion {
        const char *peer; /* unique name */
        uid_t uid;        /* of the peer */
        const char *action;
        char *const *details; /* strv: key, value, key, value */
        bool interactive;     /* polkit may ask a person */
} BusPolkitQuestion;

/* Borrows both. */
int bus_polkit_new(sd_bus *bus, sd_event *event, BusPolkit **ret);
void bus_polkit_free(BusPolkit *polkit);
DEFINE_POINTER_CLEANUP(BusPolkit, bus_polkit_free);

/* Calls back exactly once, possibly before it returns. The peer's name is copied; the action and the details must
 * live until then. */
void bus_polkit_check(BusPolkit *polkit, const Settings *settings, const BusPolkitQuestion *question,
                      BusPolkitDone done, void *userdata);

void bus_polkit_cancel_peer(BusPolkit *polkit, const char *peer);
