/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-introspect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus/bus-capture.h"
#include "bus/bus-connect.h"
#include "bus/bus-log-control.h"
#include "bus/bus-manager.h"
#include "bus/bus-session.h"
#include "ktraced/protocol.h"

static const struct {
        const char *path;
        const char *interface;
        const sd_bus_vtable *vtable;
} objects[] = {
        { KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, bus_manager_vtable },
        { KTRACED_SESSION_PATH, KTRACED_SESSION_INTERFACE, bus_session_vtable },
        { KTRACED_CAPTURE_PATH, KTRACED_CAPTURE_INTERFACE, bus_capture_vtable },
        { BUS_LOG_CONTROL_PATH, BUS_LOG_CONTROL_INTERFACE, bus_log_control_vtable },
};

/* sd-bus writes the data only as an answer to org.freedesktop.DBus.Introspectable.Introspect. So it is asked,
 * over a socketpair. */
typedef struct Introspection {
        sd_event *event;
        sd_bus *server, *client;
        FILE *output;
} Introspection;

static void introspection_clear(Introspection *introspection) {
        sd_bus_close_unref(introspection->client);
        sd_bus_close_unref(introspection->server);
        sd_event_unref(introspection->event);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Introspection *introspection = userdata;
        const char *xml;
        int r;

        r = sd_bus_message_is_method_error(reply, NULL) ? -EIO : sd_bus_message_read(reply, "s", &xml);
        if (r < 0)
                return sd_event_exit(introspection->event, r);

        r = fputs(xml, introspection->output);
        return sd_event_exit(introspection->event, r < 0 ? -EIO : 0);
}

static int introspection_init(Introspection *introspection) {
        int fds[2], r;

        r = sd_event_new(&introspection->event);
        if (r < 0)
                return r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;

        r = bus_connect_server(fds[0], &introspection->server);
        if (r < 0) {
                (void) close(fds[1]);
                return r;
        }
        r = bus_connect_client(fds[1], &introspection->client);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(objects); i++) {
                r = sd_bus_add_object_vtable(introspection->server, NULL, objects[i].path, objects[i].interface,
                                             objects[i].vtable, NULL);
                if (r < 0)
                        return r;
        }

        r = sd_bus_attach_event(introspection->server, introspection->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        return sd_bus_attach_event(introspection->client, introspection->event, SD_EVENT_PRIORITY_NORMAL);
}

static int introspect_object(const char *path, FILE *output) {
        CLEANUP(introspection_clear) Introspection introspection = { .output = output };
        int r;

        r = introspection_init(&introspection);
        if (r < 0)
                return r;

        r = sd_bus_call_method_async(introspection.client, NULL, NULL, path, "org.freedesktop.DBus.Introspectable",
                                     "Introspect", on_reply, &introspection, NULL);
        if (r < 0)
                return r;

        return sd_event_loop(introspection.event);
}

static bool path_is_below(const char *path, const char *prefix) {
        size_t length = strlen(prefix);

        return strncmp(path, prefix, length) == 0 && path[length] == '/';
}

static const char *find_path(const char *path) {
        for (size_t i = 0; i < ELEMENTSOF(objects); i++)
                if (strcmp(objects[i].path, path) == 0)
                        return objects[i].path;

        if (path_is_below(path, KTRACED_SESSION_PATH))
                return KTRACED_SESSION_PATH;
        if (path_is_below(path, KTRACED_CAPTURE_PATH))
                return KTRACED_CAPTURE_PATH;

        return NULL;
}

int bus_introspect(const char *path, FILE *output, Error *error) {
        const char *known;
        int r;

        if (path && strcmp(path, "list") == 0) {
                for (size_t i = 0; i < ELEMENTSOF(objects); i++)
                        (void) fprintf(output, "%s\n", objects[i].path);
                return 0;
        }

        if (path) {
                known = find_path(path);
                if (!known)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "No object '%s'", path);

                r = introspect_object(known, output);
                return r < 0 ? error_set_errno(error, r, "Failed to introspect %s", path) : 0;
        }

        for (size_t i = 0; i < ELEMENTSOF(objects); i++) {
                r = introspect_object(objects[i].path, output);
                if (r < 0)
                        return error_set_errno(error, r, "Failed to introspect %s", objects[i].path);
        }

        return 0;
}
