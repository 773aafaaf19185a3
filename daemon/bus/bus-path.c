/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-path.h"

#include <string.h>
#include <systemd/sd-bus.h>

#include "ktraced/protocol.h"

int bus_path_of_session(const char *id, char **ret) {
        return sd_bus_path_encode(KTRACED_SESSION_PATH, id, ret);
}

int bus_path_of_capture(const char *id, char **ret) {
        return sd_bus_path_encode(KTRACED_CAPTURE_PATH, id, ret);
}

int bus_path_to_session_id(const char *path, char **ret) {
        return sd_bus_path_decode(path, KTRACED_SESSION_PATH, ret);
}

int bus_path_to_capture_id(const char *path, char **ret) {
        return sd_bus_path_decode(path, KTRACED_CAPTURE_PATH, ret);
}

Session *bus_path_find_session(const Manager *manager, const char *id) {
        Session *session;

        if (!id)
                return NULL;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (strcmp(session->id, id) == 0)
                        return session;

        return NULL;
}

Capture *bus_path_find_capture(const Manager *manager, const char *id) {
        Capture *capture;

        if (!id)
                return NULL;

        LIST_FOREACH(capture, &manager->captures, captures)
                if (strcmp(capture->metadata->id, id) == 0)
                        return capture;

        return NULL;
}
