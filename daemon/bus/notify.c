/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "ktraced/clock.h"

static void notify_with_status(const char *state, const Manager *manager) {
        const Session *session;
        unsigned n = 0, n_active = 0;

        LIST_FOREACH(session, &manager->sessions, sessions) {
                n++;
                if (session->state == SESSION_ACTIVE)
                        n_active++;
        }

        (void) sd_notifyf(false, "%sSTATUS=%u session%s, %u recording", state, n, n == 1 ? "" : "s", n_active);
}

void notify_ready(const Manager *manager) {
        notify_with_status("READY=1\n", manager);
}

void notify_status(const Manager *manager) {
        notify_with_status("", manager);
}

void notify_reloading(void) {
        /* Later versions of systemd than 252 pair the message with their request by this time. */
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
                          clock_usec(CLOCK_MONOTONIC));
}

void notify_stopping(void) {
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Closing captures");
}
