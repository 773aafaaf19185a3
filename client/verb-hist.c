/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl hist`: the histograms of a session, once or live. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/describe.h"
#include "client/escape.h"
#include "client/exec-child.h"
#include "client/json-print.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/strv.h"
#include "ktraced/clock.h"

#define BAR_WIDTH 30
#define KEY_WIDTH 40
#define TRACKED_INDENT 8
#define WATCH_INTERVAL UINT64_C(1000000) /* usec */

enum {
        OPTION_WATCH = OPTION_OF_VERB,
        OPTION_TOP,
};

typedef struct HistArgs {
        uint64_t watch; /* usec; 0: once */
        uint64_t top;   /* rows; 0: all */
        const char *session, *event;
} HistArgs;

static ParseResult take_option(HistArgs *args, Globals *globals, int c, const char *argument) {
        if (c == OPTION_WATCH) {
                args->watch = WATCH_INTERVAL;
                if (!argument || (parse_span(argument, &args->watch) >= 0 && args->watch > 0))
                        return PARSE_GO_ON;
                (void) verb_usage("--watch '%s': expected a time such as 2s.", argument);
                return PARSE_WRONG;
        }
        if (c != OPTION_TOP)
                return globals_take_option(globals, c, argument);
        if (parse_unsigned(argument, &args->top) >= 0 && args->top > 0)
                return PARSE_GO_ON;
        (void) verb_usage("--top '%s': expected a number of rows.", argument);
        return PARSE_WRONG;
}

static ParseResult parse(HistArgs *args, Globals *globals, int argc, char *argv[]) {
        static const struct option options[] = {
                GLOBALS_LONG,
                { "watch", optional_argument, NULL, OPTION_WATCH },
                { "top", required_argument, NULL, OPTION_TOP },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT, options, NULL)) >= 0) {
                ParseResult result = take_option(args, globals, c, optarg);

                if (result != PARSE_GO_ON)
                        return result;
        }
        if (argc - optind != 1 && argc - optind != 2) {
                (void) verb_usage("Usage: ktracectl hist SESSION [EVENT] [--watch[=TIME]] [--top=N]");
                return PARSE_WRONG;
        }
        args->session = argv[optind];
        args->event = argv[optind + 1];
        return PARSE_GO_ON;
}

/* The events of the session's histograms, each once. */
static int find_events(BusClient *client, const char *path, Error *error, char ***ret) {
        CLEANUP_JSON struct json_object *description = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *spec, *list;
        int r;

        r = bus_session_describe(client, path, error, &text);
        if (r >= 0)
                r = describe_parse(text, error, &description);
        if (r < 0)
                return r;
        if (!json_object_object_get_ex(description, "spec", &spec) ||
            !json_object_object_get_ex(spec, "histograms", &list) || json_object_array_length(list) == 0)
                return error_set(error, ERROR_NO_SUCH_EVENT, "The session has no histograms");
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                const char *histogram = json_object_get_string(json_object_array_get_idx(list, i));
                CLEANUP_FREE char *event = strndup(histogram, strcspn(histogram, " "));

                if (!event || (!strv_contains(*ret, event) && strv_append(ret, event) < 0))
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        }
        return 0;
}

static uint64_t number_of(struct json_object *object, const char *name) {
        struct json_object *value;

        return json_object_object_get_ex(object, name, &value) ? json_object_get_uint64(value) : 0;
}

static uint64_t hits_of(struct json_object *row) {
        struct json_object *values;

        return json_object_object_get_ex(row, "values", &values) ? number_of(values, "hitcount") : 0;
}

/* "bash [3045], write"; of a stack the first frame. Returns how many columns that took. */
static int print_key(struct json_object *row) {
        struct json_object *key;
        int width = 0;

        if (!json_object_object_get_ex(row, "key", &key))
                return 0;
        json_object_object_foreach(key, name, value) {
                const char *text = json_object_is_type(value, json_type_array)
                                           ? json_object_get_string(json_object_array_get_idx(value, 0))
                                           : json_object_get_string(value);

                (void) name;
                if (!text)
                        continue;
                if (width > 0)
                        width += printf(", ");
                escape_print(stdout, text, strlen(text));
                width += (int) strlen(text);
        }
        return width;
}

static void print_values(struct json_object *row) {
        struct json_object *values;

        if (!json_object_object_get_ex(row, "values", &values))
                return;
        json_object_object_foreach(values, name, value) {
                if (strcmp(name, "hitcount") != 0)
                        printf("  %s: %s", name, json_object_get_string(value));
        }
}

/* "max 27: next_comm=bash prev_pid=0" */
static void print_tracked(struct json_object *tracked) {
        struct json_object *saved;

        json_object_object_foreach(tracked, name, value) {
                if (json_object_is_type(value, json_type_int))
                        printf("%*s%s %" PRIu64, TRACKED_INDENT, "", name, json_object_get_uint64(value));
        }
        if (json_object_object_get_ex(tracked, "saved", &saved)) {
                putchar(':');
                json_object_object_foreach(saved, field, kept) {
                        const char *text = json_object_get_string(kept);

                        printf(" %s=", field);
                        escape_print(stdout, text, strlen(text));
                }
        }
        putchar('\n');
}

static void print_row(struct json_object *row, uint64_t most) {
        struct json_object *tracked;
        int width = print_key(row);

        printf("%*s %10" PRIu64 " ", width < KEY_WIDTH ? KEY_WIDTH - width : 0, "", hits_of(row));
        for (uint64_t i = 0; most > 0 && i < hits_of(row) * BAR_WIDTH / most; i++)
                putchar('#');
        print_values(row);
        putchar('\n');
        if (!json_object_object_get_ex(row, "tracked", &tracked))
                return;
        for (size_t i = 0; i < json_object_array_length(tracked); i++)
                print_tracked(json_object_array_get_idx(tracked, i));
}

/* The kernel sorts the smallest first: the last rows are the most. */
static int print_histogram(struct json_object *histogram, const HistArgs *args) {
        struct json_object *trigger, *rows;
        uint64_t most = 0;
        size_t n, first;

        if (!json_object_object_get_ex(histogram, "rows", &rows) ||
            !json_object_object_get_ex(histogram, "trigger", &trigger))
                return -EBADMSG;
        n = json_object_array_length(rows);
        for (size_t i = 0; i < n; i++)
                if (hits_of(json_object_array_get_idx(rows, i)) > most)
                        most = hits_of(json_object_array_get_idx(rows, i));
        first = args->top > 0 && args->top < n ? n - args->top : 0;
        printf("%s\n\n", json_object_get_string(trigger));
        for (size_t i = first; i < n; i++)
                print_row(json_object_array_get_idx(rows, i), most);
        printf("\n%" PRIu64 " hits, %" PRIu64 " entries, %" PRIu64 " dropped\n", number_of(histogram, "hits"),
               number_of(histogram, "entries"), number_of(histogram, "dropped"));
        return 0;
}

/* Appends the histograms of one event. */
static int read_event(BusClient *client, const char *path, const char *event, Error *error, struct json_object *ret) {
        CLEANUP_JSON struct json_object *histograms = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        r = bus_session_read_histogram(client, path, event, error, &text);
        if (r < 0)
                return r;
        histograms = json_tokener_parse(text);
        if (!json_object_is_type(histograms, json_type_array))
                return error_set(error, ERROR_FAILED, "ktraced sent no histogram");
        for (size_t i = 0; i < json_object_array_length(histograms); i++) {
                struct json_object *histogram = json_object_get(json_object_array_get_idx(histograms, i));

                if (json_object_array_add(ret, histogram) < 0) {
                        (void) json_object_put(histogram);
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
                }
        }
        return 0;
}

static int show(BusClient *client, const Globals *globals, const char *path, char *const *events,
                const HistArgs *args, Error *error) {
        CLEANUP_JSON struct json_object *histograms = json_object_new_array();
        int r = histograms ? 0 : error_set(error, ERROR_NO_MEMORY, "Out of memory");

        for (; r >= 0 && events && *events; events++)
                r = read_event(client, path, *events, error, histograms);
        if (r < 0)
                return r;
        if (globals->json != JSON_OFF) {
                json_print(globals, histograms);
                return 0;
        }
        if (args->watch > 0 && isatty(STDOUT_FILENO))
                fputs("\033[H\033[2J", stdout);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(histograms); i++) {
                if (i > 0)
                        putchar('\n');
                r = print_histogram(json_object_array_get_idx(histograms, i), args);
        }
        (void) fflush(stdout);
        return r < 0 ? error_set_errno(error, r, "Cannot print the histogram") : 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        bus_client_cancel(userdata);
        return 0;
}

static int catch_signals(BusClient *client, Error *error) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        int r = exec_child_block_signals();

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(client->event, NULL, signals[i], on_signal, client);
        return r < 0 ? error_set_errno(error, r, "Cannot set the event loop up") : 0;
}

/* Until it is time for the next table, or a signal comes. */
static int wait_for_next(BusClient *client, uint64_t usec, Error *error) {
        uint64_t now, until;
        int r;

        for (now = clock_usec(CLOCK_MONOTONIC), until = now + usec; !client->cancelled && now < until;
             now = clock_usec(CLOCK_MONOTONIC)) {
                r = sd_event_run(client->event, until - now);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot run the event loop");
        }
        return 0;
}

/* Whether a histogram of a session that was there could not be read because the session has stopped, or was removed.
 */
static bool has_ended(BusClient *client, const char *session, const char *path, const Error *error) {
        CLEANUP(error_clear) Error missing = ERROR_INIT;
        CLEANUP_FREE char *now = NULL;

        if (error->code == ERROR_WRONG_STATE)
                return true;
        if (bus_manager_get_session(client, session, &missing, &now) < 0)
                return missing.code == ERROR_NO_SUCH_SESSION;
        return strcmp(now, path) != 0;
}

static int watch(BusClient *client, const Globals *globals, const char *path, char *const *events,
                 const HistArgs *args, Error *error) {
        int r = catch_signals(client, error);

        if (r >= 0)
                r = show(client, globals, path, events, args, error);
        while (r >= 0 && !client->cancelled) {
                r = wait_for_next(client, args->watch, error);
                if (r < 0 || client->cancelled)
                        break;
                r = show(client, globals, path, events, args, error);
                if (r < 0 && !client->cancelled && has_ended(client, args->session, path, error)) {
                        if (!globals->quiet)
                                fprintf(stderr, "Session %s has ended.\n", args->session);
                        return 0;
                }
        }
        return client->cancelled ? 0 : r;
}

static int find(BusClient *client, const HistArgs *args, Error *error, char **ret_path, char ***ret_events) {
        int r = bus_manager_get_session(client, args->session, error, ret_path);

        if (r < 0)
                return r;
        if (!args->event)
                return find_events(client, *ret_path, error, ret_events);
        return strv_append(ret_events, args->event) < 0 ? error_set(error, ERROR_NO_MEMORY, "Out of memory") : 0;
}

int verb_hist(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(strv_freep) char **events = NULL;
        CLEANUP_FREE char *path = NULL;
        HistArgs args = { 0 };
        ParseResult result;
        int r;

        result = parse(&args, globals, argc, argv);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = find(client, &args, &error, &path, &events);
        if (r >= 0)
                r = args.watch > 0 ? watch(client, globals, path, events, &args, &error)
                                   : show(client, globals, path, events, &args, &error);
        return r < 0 ? verb_failed(&error, "read the histogram of session %s", args.session) : EXIT_SUCCESS;
}
