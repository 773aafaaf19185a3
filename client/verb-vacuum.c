/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl capture vacuum`: deletes the oldest captures until the rest is within limits. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/bus-manager.h"
#include "client/json-print.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/retention.h"

enum {
        OPTION_MAX_USE = OPTION_OF_VERB,
        OPTION_MAX_AGE,
        OPTION_KEEP,
};

static ParseResult take_limit(RetentionLimits *limits, int c, const char *argument) {
        uint64_t *to = c == OPTION_MAX_USE   ? &limits->max_use
                       : c == OPTION_MAX_AGE ? &limits->max_age
                                             : &limits->max_files;
        int r = c == OPTION_MAX_USE   ? parse_size(argument, to)
                : c == OPTION_MAX_AGE ? parse_span(argument, to)
                                      : parse_unsigned(argument, to);

        if (r >= 0 && *to > 0)
                return PARSE_GO_ON;
        (void) verb_usage("'%s': expected %s.", argument,
                          c == OPTION_MAX_USE   ? "a size such as 1G"
                          : c == OPTION_MAX_AGE ? "a time such as 7d"
                                                : "a number of captures");
        return PARSE_WRONG;
}

static ParseResult parse(RetentionLimits *limits, Globals *globals, int argc, char *argv[]) {
        static const struct option options[] = {
                GLOBALS_LONG,
                { "max-use", required_argument, NULL, OPTION_MAX_USE },
                { "max-age", required_argument, NULL, OPTION_MAX_AGE },
                { "keep", required_argument, NULL, OPTION_KEEP },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT, options, NULL)) >= 0) {
                ParseResult result = c == OPTION_MAX_USE || c == OPTION_MAX_AGE || c == OPTION_KEEP
                                             ? take_limit(limits, c, optarg)
                                             : globals_take_option(globals, c, optarg);

                if (result != PARSE_GO_ON)
                        return result;
        }
        if (argc > optind || (limits->max_use == 0 && limits->max_age == 0 && limits->max_files == 0)) {
                (void) verb_usage(
                        "Usage: ktracectl capture vacuum [--max-use=SIZE] [--max-age=TIME] [--keep=NUMBER]");
                return PARSE_WRONG;
        }
        return PARSE_GO_ON;
}

int verb_vacuum(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        RetentionLimits limits = { 0 };
        ParseResult result;
        uint64_t bytes;
        char text[16];

        result = parse(&limits, globals, argc, argv);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (bus_client_new(globals, &error, &client) < 0)
                return verb_failed(&error, "connect to ktraced");
        if (bus_manager_vacuum(client, &limits, &error, &bytes) < 0)
                return verb_failed(&error, "delete old captures");
        if (globals->quiet)
                return EXIT_SUCCESS;
        if (globals->json == JSON_OFF) {
                printf("Freed %s.\n", format_size(bytes, text, sizeof(text)));
                return EXIT_SUCCESS;
        }
        object = json_object_new_object();
        if (json_add(object, "bytes", json_object_new_uint64(bytes)) < 0)
                return verb_failed_errno(-ENOMEM, "print what was freed");
        json_print(globals, object);
        return EXIT_SUCCESS;
}
