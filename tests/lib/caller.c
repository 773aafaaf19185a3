/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls the daemon on the bus of DBUS_SYSTEM_BUS_ADDRESS, as the user whose process it is, quicker than Python could.
 *
 *      caller flood RATE SECONDS CALL...
 *
 * RATE calls a second for SECONDS, of each CALL in turn, from a connection for each: "list" (ListSessions), "start"
 * (StartSession of all events of the kernel), "get" (a property) and "silent" (ListSessions that wants no answer).
 * The bus allows 128 calls of a connection without an answer; of more the pace suffers. "ready" once it is connected;
 * at the end a line of JSON: calls sent, answered, answered with an error, and the seconds that it took.
 *
 *      caller measure INTERVAL SECONDS SESSION
 *
 * Every INTERVAL milliseconds ListSessions, and Describe of the session at the object path, one after the other; at
 * the end a line of JSON with the microseconds of each, and the number of errors.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "ktraced/protocol.h"

#define CALLS_MAX 16
#define WINDOW 100
#define USEC_PER_SEC 1000000ULL
#define MEASURE_TIMEOUT (30 * USEC_PER_SEC)

typedef struct Caller {
        const char *call;
        sd_bus *bus;
        uint64_t sent, waiting, answered, failed;
} Caller;

static uint64_t now(void) {
        struct timespec time;

        (void) clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t) time.tv_sec * USEC_PER_SEC + (uint64_t) time.tv_nsec / 1000;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Caller *caller = userdata;

        if (sd_bus_message_is_signal(message, NULL, NULL) || caller->waiting == 0)
                return 0;
        if (sd_bus_message_is_method_error(message, NULL))
                caller->failed++;
        else
                caller->answered++;
        caller->waiting--;
        return 1;
}

static int new_call(const Caller *caller, sd_bus_message **ret) {
        int r;

        if (strcmp(caller->call, "get") == 0) {
                r = sd_bus_message_new_method_call(caller->bus, ret, KTRACED_BUS_NAME, KTRACED_OBJECT_PATH,
                                                   "org.freedesktop.DBus.Properties", "Get");
                return r < 0 ? r : sd_bus_message_append(*ret, "ss", KTRACED_MANAGER_INTERFACE, "Version");
        }
        if (strcmp(caller->call, "start") == 0) {
                r = sd_bus_message_new_method_call(caller->bus, ret, KTRACED_BUS_NAME, KTRACED_OBJECT_PATH,
                                                   KTRACED_MANAGER_INTERFACE, "StartSession");
                return r < 0 ? r : sd_bus_message_append(*ret, "sa{sv}", "flood", 1, "events", "as", 1, "*:*");
        }
        r = sd_bus_message_new_method_call(caller->bus, ret, KTRACED_BUS_NAME, KTRACED_OBJECT_PATH,
                                           KTRACED_MANAGER_INTERFACE, "ListSessions");
        if (r >= 0 && strcmp(caller->call, "silent") == 0)
                r = sd_bus_message_set_expect_reply(*ret, false);
        return r;
}

static int send_one(Caller *caller) {
        sd_bus_message *message = NULL;
        const bool silent = strcmp(caller->call, "silent") == 0;
        uint64_t cookie;
        int r;

        r = new_call(caller, &message);
        if (r >= 0)
                r = sd_bus_send(caller->bus, message, silent ? NULL : &cookie);
        sd_bus_message_unref(message);
        if (r < 0)
                return r;
        caller->sent++;
        caller->waiting += !silent;
        return 0;
}

static int receive(Caller *caller) {
        int r;

        do
                r = sd_bus_process(caller->bus, NULL);
        while (r > 0);
        return r;
}

static int connect_caller(Caller *caller) {
        int r = sd_bus_open_system(&caller->bus);

        if (r >= 0)
                r = sd_bus_add_filter(caller->bus, NULL, on_message, caller);
        /* The bus's answer to the greeting, before anything is asked. */
        return r < 0 ? r : sd_bus_get_unique_name(caller->bus, &(const char *){ NULL });
}

static int flood_once(Caller *callers, size_t n, uint64_t due) {
        bool stuck = false;
        int r = 0;

        for (uint64_t sent = 0; r >= 0 && !stuck && sent < due;) {
                stuck = true;
                for (size_t i = 0; r >= 0 && i < n && sent < due; i++)
                        if (callers[i].waiting < WINDOW) {
                                r = send_one(callers + i);
                                sent++;
                                stuck = false;
                        }
        }
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = receive(callers + i);
        return r;
}

static int flood(uint64_t rate, uint64_t seconds, char **calls, size_t n) {
        Caller callers[CALLS_MAX] = { 0 };
        uint64_t begin, sent = 0, answered = 0, failed = 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                callers[i].call = calls[i];
                r = connect_caller(callers + i);
        }
        (void) puts("ready");
        (void) fflush(stdout);

        begin = now();
        while (r >= 0 && now() - begin < seconds * USEC_PER_SEC) {
                const struct timespec pause = { .tv_nsec = 200000 };
                const uint64_t due = rate * (now() - begin) / USEC_PER_SEC;

                r = flood_once(callers, n, due > sent ? due - sent : 0);
                sent = 0;
                for (size_t i = 0; i < n; i++)
                        sent += callers[i].sent;
                (void) nanosleep(&pause, NULL);
        }
        for (size_t i = 0; i < n; i++) {
                answered += callers[i].answered;
                failed += callers[i].failed;
                sd_bus_close_unref(callers[i].bus);
        }
        (void) printf("{\"sent\": %llu, \"answered\": %llu, \"refused\": %llu, \"seconds\": %.3f, \"result\": %d}\n",
                      (unsigned long long) sent, (unsigned long long) answered, (unsigned long long) failed,
                      (double) (now() - begin) / USEC_PER_SEC, r);
        return r;
}

/* Microseconds, 0 for an error. */
static uint64_t measure_call(sd_bus *bus, const char *path, const char *interface, const char *member) {
        sd_bus_message *call = NULL, *reply = NULL;
        uint64_t begin = now();
        int r;

        r = sd_bus_message_new_method_call(bus, &call, KTRACED_BUS_NAME, path, interface, member);
        if (r >= 0)
                r = sd_bus_call(bus, call, MEASURE_TIMEOUT, NULL, &reply);
        sd_bus_message_unref(call);
        sd_bus_message_unref(reply);
        return r < 0 ? 0 : now() - begin;
}

static void print_series(const char *name, const uint64_t *series, size_t n) {
        size_t errors = 0;

        (void) printf("\"%s\": [", name);
        for (size_t i = 0; i < n; i++)
                if (series[i] == 0)
                        errors++;
                else
                        (void) printf("%s%llu", i > errors ? ", " : "", (unsigned long long) series[i]);
        (void) printf("], \"%s_errors\": %zu", name, errors);
}

static int measure(uint64_t interval, uint64_t seconds, const char *session) {
        const size_t max = seconds * 1000 / interval + 1;
        uint64_t *list = calloc(max, sizeof(*list)), *describe = calloc(max, sizeof(*describe));
        uint64_t begin, next;
        sd_bus *bus = NULL;
        size_t n = 0;
        int r;

        r = list && describe ? sd_bus_open_system(&bus) : -ENOMEM;
        (void) puts("ready");
        (void) fflush(stdout);
        for (begin = next = now(); r >= 0 && n < max && now() - begin < seconds * USEC_PER_SEC; n++) {
                list[n] = measure_call(bus, KTRACED_OBJECT_PATH, KTRACED_MANAGER_INTERFACE, "ListSessions");
                describe[n] = measure_call(bus, session, KTRACED_SESSION_INTERFACE, "Describe");
                next += interval * 1000;
                if (next > now()) {
                        const struct timespec pause = { .tv_nsec = (long) (next - now()) * 1000 };

                        (void) nanosleep(&pause, NULL);
                }
        }
        (void) putchar('{');
        if (list && describe) {
                print_series("list", list, n);
                (void) printf(", ");
                print_series("describe", describe, n);
        }
        (void) puts("}");
        sd_bus_close_unref(bus);
        free(list);
        free(describe);
        return r;
}

int main(int argc, char **argv) {
        uint64_t rate, seconds;
        int r;

        if (argc < 5 || argc - 4 > CALLS_MAX)
                return EXIT_FAILURE;
        rate = strtoull(argv[2], NULL, 10);
        seconds = strtoull(argv[3], NULL, 10);
        if (rate == 0 || seconds == 0)
                return EXIT_FAILURE;
        if (strcmp(argv[1], "flood") == 0)
                r = flood(rate, seconds, argv + 4, (size_t) argc - 4);
        else if (strcmp(argv[1], "measure") == 0)
                r = measure(rate, seconds, argv[4]);
        else
                r = -EINVAL;
        if (r < 0)
                (void) fprintf(stderr, "caller: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
