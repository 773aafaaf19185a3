/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/monitor-event.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/colors.h"
#include "client/escape.h"
#include "client/json-print.h"
#include "client/table.h"
#include "core/json-text.h"
#include "ktraced/clock.h"
#include "ktraced/protocol.h"

#define USEC_PER_SEC UINT64_C(1000000)

static const char *const object_names[] = {
        [MONITOR_DAEMON] = "daemon",
        [MONITOR_SESSION] = "session",
        [MONITOR_CAPTURE] = "capture",
};

static const char *const kind_names[] = {
        [MONITOR_NEW] = "new",   [MONITOR_REMOVED] = "removed", [MONITOR_STATE] = "state",
        [MONITOR_LOST] = "lost", [MONITOR_FIRED] = "watch",     [MONITOR_OVERHEAD] = "overhead",
        [MONITOR_GONE] = "gone", [MONITOR_BACK] = "back",       [MONITOR_ABSENT] = "absent",
};

void monitor_event_free(MonitorEvent *event) {
        if (!event)
                return;
        free(event->id);
        free(event->state);
        free(event->session_id);
        free(event->name);
        free(event->reason);
        free(event);
}

int monitor_event_new(MonitorObject object, MonitorKind kind, const char *id, MonitorEvent **ret) {
        CLEANUP(monitor_event_freep) MonitorEvent *event = calloc(1, sizeof(*event));

        if (!event)
                return -ENOMEM;
        event->time = clock_usec(CLOCK_REALTIME);
        event->object = object;
        event->kind = kind;
        if (id) {
                event->id = strdup(id);
                if (!event->id)
                        return -ENOMEM;
        }
        *ret = STEAL_PTR(event);
        return 0;
}

static int read_manager(sd_bus_message *message, MonitorEvent **ret) {
        static const struct {
                const char *member;
                MonitorObject object;
                MonitorKind kind;
        } signals[] = {
                { "SessionNew", MONITOR_SESSION, MONITOR_NEW },
                { "SessionRemoved", MONITOR_SESSION, MONITOR_REMOVED },
                { "CaptureNew", MONITOR_CAPTURE, MONITOR_NEW },
                { "CaptureRemoved", MONITOR_CAPTURE, MONITOR_REMOVED },
        };
        const char *id;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                if (!sd_bus_message_is_signal(message, NULL, signals[i].member))
                        continue;
                r = sd_bus_message_read(message, "s", &id);
                if (r >= 0)
                        r = monitor_event_new(signals[i].object, signals[i].kind, id, ret);
                return r < 0 ? r : 1;
        }
        return 0;
}

/* The id in the path of a session or capture. */
static int read_path(const char *path, MonitorObject *ret_object, char **ret_id) {
        int r = sd_bus_path_decode(path, KTRACED_SESSION_PATH, ret_id);

        if (r > 0) {
                *ret_object = MONITOR_SESSION;
                return r;
        }
        *ret_object = MONITOR_CAPTURE;
        return r < 0 ? r : sd_bus_path_decode(path, KTRACED_CAPTURE_PATH, ret_id);
}

/* MONITOR_LOST or MONITOR_FIRED */
static int read_numbers(sd_bus_message *message, MonitorObject object, MonitorKind kind, const char *id,
                        MonitorEvent **ret) {
        CLEANUP(monitor_event_freep) MonitorEvent *event = NULL;
        int r = monitor_event_new(object, kind, id, &event);

        if (r >= 0 && kind == MONITOR_LOST)
                r = sd_bus_message_read(message, "t", &event->n_new);
        if (r >= 0)
                r = sd_bus_message_read(message, "t", &event->n_total);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(event);
        return 1;
}

static int read_overhead(sd_bus_message *message, MonitorObject object, const char *id, MonitorEvent **ret) {
        CLEANUP(monitor_event_freep) MonitorEvent *event = NULL;
        const char *action;
        int r = monitor_event_new(object, MONITOR_OVERHEAD, id, &event);

        if (r >= 0)
                r = sd_bus_message_read(message, "stt", &action, &event->rate, &event->share);
        if (r < 0)
                return r;
        event->state = strdup(action);
        if (!event->state)
                return -ENOMEM;
        *ret = STEAL_PTR(event);
        return 1;
}

/* The value of State among the properties that changed; NULL: it did not. It lives with the message. */
static int find_state(sd_bus_message *message, const char **ret) {
        const char *state = NULL;
        int r = sd_bus_message_skip(message, "s");

        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                const char *name;

                r = sd_bus_message_read(message, "s", &name);
                if (r >= 0)
                        r = strcmp(name, "State") == 0 ? sd_bus_message_read(message, "v", "s", &state)
                                                       : sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r < 0)
                return r;
        *ret = state;
        return 0;
}

static int read_state(sd_bus_message *message, MonitorObject object, const char *id, MonitorEvent **ret) {
        CLEANUP(monitor_event_freep) MonitorEvent *event = NULL;
        const char *state;
        int r = find_state(message, &state);

        if (r < 0 || !state)
                return r;
        r = monitor_event_new(object, MONITOR_STATE, id, &event);
        if (r < 0)
                return r;
        event->state = strdup(state);
        if (!event->state)
                return -ENOMEM;
        *ret = STEAL_PTR(event);
        return 1;
}

int monitor_event_read(sd_bus_message *message, MonitorEvent **ret) {
        CLEANUP_FREE char *id = NULL;
        MonitorObject object;
        int r;

        if (sd_bus_message_is_signal(message, KTRACED_MANAGER_INTERFACE, NULL))
                return read_manager(message, ret);
        r = read_path(sd_bus_message_get_path(message), &object, &id);
        if (r <= 0)
                return r;
        if (sd_bus_message_is_signal(message, KTRACED_SESSION_INTERFACE, "EventsLost"))
                return read_numbers(message, object, MONITOR_LOST, id, ret);
        if (sd_bus_message_is_signal(message, KTRACED_SESSION_INTERFACE, "WatchFired"))
                return read_numbers(message, object, MONITOR_FIRED, id, ret);
        if (sd_bus_message_is_signal(message, KTRACED_SESSION_INTERFACE, "OverheadExceeded"))
                return read_overhead(message, object, id, ret);
        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                return read_state(message, object, id, ret);
        return 0;
}

static int add_string(struct json_object *object, const char *key, const char *value) {
        return value ? json_add(object, key, json_object_new_string(value)) : 0;
}

static int print_json(const MonitorEvent *event, Globals globals) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        int r;

        r = json_add(object, "time", json_object_new_uint64(event->time));
        if (r >= 0)
                r = add_string(object, "object", object_names[event->object]);
        if (r >= 0)
                r = add_string(object, "event", kind_names[event->kind]);
        if (r >= 0)
                r = add_string(object, "id", event->id);
        if (r >= 0)
                r = add_string(object, "session", event->session_id);
        if (r >= 0)
                r = add_string(object, "name", event->name);
        if (r >= 0)
                r = add_string(object, event->kind == MONITOR_OVERHEAD ? "action" : "state", event->state);
        if (r >= 0 && event->kind == MONITOR_OVERHEAD)
                r = json_add(object, "rate", json_object_new_uint64(event->rate));
        if (r >= 0 && event->kind == MONITOR_OVERHEAD)
                r = json_add(object, "cpu_share", json_object_new_uint64(event->share));
        if (r >= 0)
                r = add_string(object, "reason", event->reason);
        if (r >= 0 && event->kind == MONITOR_LOST)
                r = json_add(object, "new", json_object_new_uint64(event->n_new));
        if (r >= 0 && (event->kind == MONITOR_LOST || event->kind == MONITOR_FIRED))
                r = json_add(object, "total", json_object_new_uint64(event->n_total));
        if (r < 0)
                return r;
        /* One object a line, however the terminal would have it. */
        globals.json = JSON_SHORT;
        json_print(&globals, object);
        return 0;
}

static void print_colored(const Globals *globals, Color color, const char *text) {
        fputs(color_begin(globals->colors, color), stdout);
        escape_print(stdout, text, strlen(text));
        fputs(color_end(globals->colors, color), stdout);
}

static void print_overhead(const MonitorEvent *event, const Globals *globals) {
        char share[32];

        fputs(color_begin(globals->colors, COLOR_BAD), stdout);
        printf("over its budget: %" PRIu64 " events a second", event->rate);
        if (event->share > 0)
                printf(", some %s of the CPUs' time", format_share(event->share, share, sizeof(share)));
        fputs(strcmp(event->state, "thin") == 0   ? "; the most frequent is left out"
              : strcmp(event->state, "stop") == 0 ? "; it ends"
                                                  : "",
              stdout);
        fputs(color_end(globals->colors, COLOR_BAD), stdout);
}

static void print_what(const MonitorEvent *event, const Globals *globals) {
        switch (event->kind) {
        case MONITOR_STATE:
                print_colored(globals, color_for_state(event->state), event->state);
                break;
        case MONITOR_LOST:
                fputs(color_begin(globals->colors, COLOR_BAD), stdout);
                printf("lost %" PRIu64 " events, %" PRIu64 " in all", event->n_new, event->n_total);
                fputs(color_end(globals->colors, COLOR_BAD), stdout);
                break;
        case MONITOR_FIRED:
                printf("a watch fired, %" PRIu64 " in all", event->n_total);
                break;
        case MONITOR_OVERHEAD:
                print_overhead(event, globals);
                break;
        case MONITOR_GONE:
        case MONITOR_ABSENT:
                print_colored(globals, COLOR_BAD, kind_names[event->kind]);
                break;
        case MONITOR_NEW:
        case MONITOR_REMOVED:
        case MONITOR_BACK:
                fputs(kind_names[event->kind], stdout);
                break;
        }
}

static void print_text(const MonitorEvent *event, const Globals *globals) {
        char time[64];

        printf("%s%s.%03u%s  %s", color_begin(globals->colors, COLOR_FAINT),
               format_time(event->time, time, sizeof(time)), (unsigned) (event->time % USEC_PER_SEC / 1000),
               color_end(globals->colors, COLOR_FAINT), object_names[event->object]);
        if (event->id)
                printf(" %s", event->id);
        if (event->object == MONITOR_SESSION && event->name) {
                fputs(" (", stdout);
                escape_print(stdout, event->name, strlen(event->name));
                putchar(')');
        }
        fputs(": ", stdout);
        print_what(event, globals);
        if (event->object == MONITOR_CAPTURE && event->session_id && event->kind == MONITOR_NEW)
                printf(", of session %s", event->session_id);
        if (event->object == MONITOR_CAPTURE && event->name && event->kind == MONITOR_NEW) {
                fputs(" (", stdout);
                escape_print(stdout, event->name, strlen(event->name));
                putchar(')');
        }
        if (event->reason) {
                fputs(", ", stdout);
                escape_print(stdout, event->reason, strlen(event->reason));
        }
        putchar('\n');
}

int monitor_event_print(const MonitorEvent *event, const Globals *globals) {
        int r = 0;

        if (globals->json != JSON_OFF)
                r = print_json(event, *globals);
        else
                print_text(event, globals);
        if (r < 0)
                return r;
        errno = 0;
        return fflush(stdout) == EOF || ferror(stdout) ? -(errno ?: EPIPE) : 0;
}
