/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl list ...`: what can be asked for. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/bus-manager.h"
#include "client/describe.h"
#include "client/event-print.h"
#include "client/json-print.h"
#include "client/pager.h"
#include "client/rates.h"
#include "client/table.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/strv.h"
#include "ktraced/cleanup.h"

/* A list of names: a line each, or a JSON array of strings. */
static int print_names(const Globals *globals, char *const *names, const char *noun) {
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        CLEANUP_JSON struct json_object *array = NULL;
        size_t n = strv_length(names);

        pager_open(&pager, globals);
        if (globals->json == JSON_OFF) {
                for (size_t i = 0; i < n; i++)
                        puts(names[i]);
                if (globals->legend)
                        printf("%s%zu %s%s listed.\n", n > 0 ? "\n" : "", n, noun, n == 1 ? "" : "s");
                return EXIT_SUCCESS;
        }
        array = json_object_new_array();
        for (size_t i = 0; i < n; i++) {
                int r = json_add(array, NULL, json_object_new_string(names[i]));

                if (r < 0)
                        return verb_failed_errno(r, "print the list");
        }
        json_print(globals, array);
        return EXIT_SUCCESS;
}

enum {
        OPTION_RATE = OPTION_OF_VERB,
        OPTION_HOW_LONG,
};

typedef struct EventsOptions {
        bool rate;
        uint64_t duration; /* usec; 0: not given */
        char **words;
} EventsOptions;

static ParseResult take_events_option(EventsOptions *events, Globals *globals, int c, const char *argument) {
        if (c == OPTION_RATE)
                events->rate = true;
        else if (c != OPTION_HOW_LONG)
                return globals_take_option(globals, c, argument);
        else if (parse_span(argument, &events->duration) < 0 || events->duration == 0) {
                (void) verb_usage("'%s': expected a time such as 2s.", argument);
                return PARSE_WRONG;
        }
        return PARSE_GO_ON;
}

static ParseResult parse_events(EventsOptions *events, Globals *globals, int argc, char *argv[]) {
        static const struct option options[] = {
                GLOBALS_LONG,
                { "rate", no_argument, NULL, OPTION_RATE },
                { "duration", required_argument, NULL, OPTION_HOW_LONG },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT, options, NULL)) >= 0) {
                ParseResult result = take_events_option(events, globals, c, optarg);

                if (result != PARSE_GO_ON)
                        return result;
        }
        events->words = argv + optind;
        if (events->rate || (argc - optind <= 1 && events->duration == 0))
                return PARSE_GO_ON;
        (void) verb_usage("Usage: ktracectl list events [PATTERN]\n"
                          "       ktracectl list events --rate [--duration=TIME] [PATTERN...]");
        return PARSE_WRONG;
}

static int list_events(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(strv_freep) char **events = NULL;
        EventsOptions options = { 0 };
        ParseResult result;
        int r;

        result = parse_events(&options, globals, argc, argv);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (options.rate)
                return rates_list(globals, options.words, options.duration);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_list_events(client, options.words[0] ?: "", &error, &events);
        if (r < 0)
                return verb_failed(&error, "list events");
        return print_names(globals, events, "event");
}

static int list_functions(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(strv_freep) char **functions = NULL;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 1, "list functions [PATTERN]", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_list_functions(client, words[0] ?: "", 0, &error, &functions);
        if (r < 0)
                return verb_failed(&error, "list functions");
        return print_names(globals, functions, "function");
}

static int list_tracers(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(strv_freep) char **tracers = NULL;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, "list tracers", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_list_tracers(client, &error, &tracers);
        if (r < 0)
                return verb_failed(&error, "list tracers");
        return print_names(globals, tracers, "tracer");
}

/* Clocks and options stand among the capabilities. */
static int list_capability(Globals *globals, int argc, char *argv[], const char *usage, const char *noun,
                           char **(*choose)(const CapabilityRows *rows)) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(capability_rows_clear) CapabilityRows rows = { 0 };
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, usage, &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_capabilities(client, &error, &rows);
        if (r < 0)
                return verb_failed(&error, "list %ss", noun);
        return print_names(globals, choose(&rows), noun);
}

static char **choose_clocks(const CapabilityRows *rows) {
        return rows->clocks;
}

static char **choose_options(const CapabilityRows *rows) {
        return rows->options;
}

static int list_clocks(Globals *globals, int argc, char *argv[]) {
        return list_capability(globals, argc, argv, "list clocks", "clock", choose_clocks);
}

static int list_options(Globals *globals, int argc, char *argv[]) {
        return list_capability(globals, argc, argv, "list options", "option", choose_options);
}

static int print_profiles(const Globals *globals, const ProfileRows *rows) {
        static const TableColumn columns[] = {
                { .key = "name", .title = "NAME" },
                { .key = "description", .title = "DESCRIPTION" },
        };
        CLEANUP(table_freep) Table *table = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        int r;

        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < rows->n_rows; i++) {
                table_begin_row(table);
                table_add_string(table, rows->rows[i].name);
                table_add_string(table, rows->rows[i].description);
        }
        pager_open(&pager, globals);
        return table_print(table, globals, "profile");
}

static int list_profiles(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(profile_rows_clear) ProfileRows rows = { 0 };
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, "list profiles", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_list_profiles(client, &error, &rows);
        if (r < 0)
                return verb_failed(&error, "list profiles");
        r = print_profiles(globals, &rows);
        return r < 0 ? verb_failed_errno(r, "print the profiles") : EXIT_SUCCESS;
}

static int list_event(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        CLEANUP_JSON struct json_object *event = NULL;
        CLEANUP_FREE char *text = NULL;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 1, 1, "list event EVENT", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_describe_event(client, words[0], &error, &text);
        if (r >= 0)
                r = describe_parse(text, &error, &event);
        if (r < 0)
                return verb_failed(&error, "show event %s", words[0]);
        pager_open(&pager, globals);
        r = event_print(globals, event);
        return r < 0 ? verb_failed_errno(r, "print the event") : EXIT_SUCCESS;
}

static int list_profile(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        CLEANUP_JSON struct json_object *profile = NULL;
        CLEANUP_FREE char *text = NULL;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 1, 1, "list profile PROFILE", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_describe_profile(client, words[0], &error, &text);
        if (r >= 0)
                r = describe_parse(text, &error, &profile);
        if (r < 0)
                return verb_failed(&error, "show profile %s", words[0]);
        pager_open(&pager, globals);
        describe_print(globals, profile);
        return EXIT_SUCCESS;
}

int verb_list(Globals *globals, int argc, char *argv[]) {
        static const Verb verbs[] = {
                { "events", list_events },     { "event", list_event },         { "tracers", list_tracers },
                { "profiles", list_profiles }, { "profile", list_profile },     { "options", list_options },
                { "clocks", list_clocks },     { "functions", list_functions },
        };

        return verb_dispatch(verbs, ELEMENTSOF(verbs), "list", globals, argc, argv);
}
