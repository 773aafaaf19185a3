/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

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
        struct timespec now;

        /* Later versions of systemd than 252 pair the message with their request by this time. */
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
                          (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000);
}

void notify_stopping(void) {
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Closing captures");
}
