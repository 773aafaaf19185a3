/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl monitor`: what happens to sessions and captures, as it happens. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/bus-capture.h"
#include "client/bus-manager.h"
#include "client/bus-properties.h"
#include "client/exec-child.h"
#include "client/monitor-event.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "ktraced/protocol.h"

STAILQ_HEAD(MonitorQueue, MonitorEvent);

typedef struct Monitor {
        BusClient *client;
        const Globals *globals;
        struct MonitorQueue queue;  /* heard of, and not printed yet */
        struct json_object *names;  /* of sessions, by id */
        struct json_object *states; /* that were printed, by id */
        bool stopping;              /* a signal came, or nobody reads on */
        int r;                      /* a callback failed */
} Monitor;

static void monitor_clear(Monitor *monitor) {
        MonitorEvent *event;

        while ((event = STAILQ_FIRST(&monitor->queue))) {
                STAILQ_REMOVE_HEAD(&monitor->queue, events);
                monitor_event_free(event);
        }
        (void) json_object_put(monitor->names);
        (void) json_object_put(monitor->states);
        bus_client_free(monitor->client);
}

/* Takes `event` over. */
static void enqueue(Monitor *monitor, int r, MonitorEvent *event) {
        if (r < 0)
                monitor->r = r;
        else if (event)
                STAILQ_INSERT_TAIL(&monitor->queue, event, events);
}

static void enqueue_daemon(Monitor *monitor, MonitorKind kind) {
        MonitorEvent *event = NULL;
        int r = monitor_event_new(MONITOR_DAEMON, kind, NULL, &event);

        enqueue(monitor, r, event);
}

static int on_ktraced(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Monitor *monitor = userdata;
        MonitorEvent *event = NULL;
        int r = monitor_event_read(message, &event);

        /* One that cannot be read is of a daemon of another version. */
        enqueue(monitor, r == -ENOMEM ? r : 0, event);
        return 0;
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        const char *name, *before, *after;

        if (sd_bus_message_read(message, "sss", &name, &before, &after) >= 0)
                enqueue_daemon(userdata, *after ? MONITOR_BACK : MONITOR_GONE);
        return 0;
}

static int stop(Monitor *monitor) {
        monitor->stopping = true;
        bus_client_cancel(monitor->client);
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        return stop(userdata);
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        return stop(userdata);
}

static int watch(Monitor *monitor, Error *error) {
        sd_event *event = monitor->client->event;
        int r;

        r = sd_event_add_signal(event, NULL, SIGINT, on_signal, monitor);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, monitor);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_signal, monitor);
        /* The reader of a pipe that goes away; a file cannot be watched, and need not be. */
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDOUT_FILENO, EPOLLERR, on_output, monitor);
        if (r < 0 && r != -EPERM)
                return error_set_errno(error, r, "Cannot set the event loop up");

        r = sd_bus_add_match(monitor->client->bus, NULL,
                             "type='signal',sender='" KTRACED_BUS_NAME "',path_namespace='" KTRACED_OBJECT_PATH "'",
                             on_ktraced, monitor);
        if (r >= 0)
                r = sd_bus_add_match(monitor->client->bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                                     "member='NameOwnerChanged',arg0='" KTRACED_BUS_NAME "'",
                                     on_owner, monitor);
        return r < 0 ? error_set_errno(error, r, "Cannot listen to signals of ktraced") : 0;
}

/* Whoever may not list them sees ids only. */
static int learn_names(Monitor *monitor) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(session_rows_clear) SessionRows rows = { 0 };

        if (bus_manager_list_sessions(monitor->client, &error, &rows) < 0)
                return 0;
        for (size_t i = 0; i < rows.n_rows; i++) {
                const SessionRow *row = &rows.rows[i];

                if (*row->name &&
                    json_object_object_add(monitor->names, row->id, json_object_new_string(row->name)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int copy_name(const Monitor *monitor, const char *id, char **ret) {
        struct json_object *name;

        if (!id || !json_object_object_get_ex(monitor->names, id, &name))
                return 0;
        *ret = strdup(json_object_get_string(name));
        return *ret ? 0 : -ENOMEM;
}

static int complete_session(Monitor *monitor, MonitorEvent *event) {
        int r = event->kind == MONITOR_NEW ? learn_names(monitor) : 0;

        if (r >= 0)
                r = copy_name(monitor, event->id, &event->name);
        if (event->kind == MONITOR_REMOVED)
                json_object_object_del(monitor->names, event->id);
        return r;
}

/* It may be gone already, or not be the caller's to read: then the line says less. */
static int complete_capture(Monitor *monitor, MonitorEvent *event) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const BusProperty properties[] = { { "Session", 's', &event->session_id } };
        CLEANUP_FREE char *path = NULL;
        int r = sd_bus_path_encode(KTRACED_CAPTURE_PATH, event->id, &path);

        if (r < 0)
                return r;
        if (event->kind == MONITOR_NEW)
                (void) bus_properties_get(monitor->client, path, KTRACED_CAPTURE_INTERFACE, properties,
                                          ELEMENTSOF(properties), &error);
        else if (event->kind == MONITOR_STATE)
                (void) bus_capture_read_reason(monitor->client, path, &error, &event->reason);
        return copy_name(monitor, event->session_id, &event->name);
}

/* 1 when it was said already: some properties change without the state. */
static int is_known(Monitor *monitor, const MonitorEvent *event) {
        struct json_object *known;

        if (event->kind == MONITOR_REMOVED)
                json_object_object_del(monitor->states, event->id);
        if (event->kind != MONITOR_STATE)
                return 0;
        if (json_object_object_get_ex(monitor->states, event->id, &known) &&
            strcmp(json_object_get_string(known), event->state) == 0)
                return 1;
        return json_object_object_add(monitor->states, event->id, json_object_new_string(event->state)) < 0 ? -ENOMEM
                                                                                                            : 0;
}

static int forget(struct json_object **map) {
        (void) json_object_put(*map);
        *map = json_object_new_object();
        return *map ? 0 : -ENOMEM;
}

static int complete(Monitor *monitor, MonitorEvent *event) {
        int r = 0;

        switch (event->object) {
        case MONITOR_SESSION:
                return complete_session(monitor, event);
        case MONITOR_CAPTURE:
                return complete_capture(monitor, event);
        case MONITOR_DAEMON:
                r = forget(&monitor->names);
                if (r >= 0)
                        r = forget(&monitor->states);
                return r < 0 || event->kind != MONITOR_BACK ? r : learn_names(monitor);
        }
        return r;
}

static int handle(Monitor *monitor, MonitorEvent *event) {
        int r = is_known(monitor, event);

        if (r != 0)
                return r < 0 ? r : 0;
        r = complete(monitor, event);
        /* The reader of a pipe went away: there is nobody to tell. */
        if (r >= 0)
                r = monitor_event_print(event, monitor->globals);
        if (r == -EPIPE)
                monitor->stopping = true;
        return r == -EPIPE ? 0 : r;
}

static int begin(Monitor *monitor) {
        CLEANUP(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        int r = forget(&monitor->names);

        if (r >= 0)
                r = forget(&monitor->states);
        if (r < 0)
                return r;
        /* It is not started for this. */
        r = sd_bus_get_name_creds(monitor->client->bus, KTRACED_BUS_NAME, 0, &creds);
        if (r >= 0)
                return learn_names(monitor);
        enqueue_daemon(monitor, MONITOR_ABSENT);
        return 0;
}

static int run(Monitor *monitor, Error *error) {
        int r = begin(monitor);

        while (r >= 0 && !monitor->stopping) {
                CLEANUP(monitor_event_freep) MonitorEvent *event = STAILQ_FIRST(&monitor->queue);

                if (event) {
                        STAILQ_REMOVE_HEAD(&monitor->queue, events);
                        r = handle(monitor, event);
                        continue;
                }
                r = monitor->r < 0 ? monitor->r : sd_event_run(monitor->client->event, UINT64_MAX);
                if (r >= 0 && sd_bus_is_open(monitor->client->bus) <= 0)
                        return error_set(error, ERROR_FAILED, "The connection to the bus is lost");
        }
        return r < 0 && !monitor->stopping ? error_set_errno(error, r, "Cannot go on") : 0;
}

int verb_monitor(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(monitor_clear) Monitor monitor = { .globals = globals };
        ParseResult result;
        char **words;
        int r;

        STAILQ_INIT(&monitor.queue);
        result = globals_parse_words(globals, argc, argv, 0, 0, "monitor", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (globals->embedded)
                return verb_usage("An embedded ktraced has nothing to monitor.");
        r = exec_child_block_signals();
        if (r < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return verb_failed_errno(r < 0 ? r : errno, "set signals up");
        if (bus_client_new(globals, &error, &monitor.client) < 0)
                return verb_failed(&error, "connect to the bus");
        monitor.client->ask_password = false;
        if (watch(&monitor, &error) < 0 || run(&monitor, &error) < 0)
                return verb_failed(&error, "monitor ktraced");
        return EXIT_SUCCESS;
}
