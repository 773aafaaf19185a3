/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/colors.h"
#include "client/help.h"
#include "client/verb.h"
#include "config.h"

static const struct option global_options[] = { GLOBALS_LONG, { NULL, 0, NULL, 0 } };

void globals_init(Globals *globals) {
        *globals = (Globals){
                .json = JSON_OFF,
                .legend = true,
                .pager = true,
                .ask_password = true,
                .colors = colors_wanted(STDOUT_FILENO),
        };
}

static ParseResult take_json_mode(Globals *globals, const char *argument) {
        if (strcmp(argument, "pretty") == 0)
                globals->json = JSON_PRETTY;
        else if (strcmp(argument, "short") == 0)
                globals->json = JSON_SHORT;
        else if (strcmp(argument, "off") == 0)
                globals->json = JSON_OFF;
        else {
                (void) verb_usage("--json=%s: use pretty, short or off.", argument);
                return PARSE_WRONG;
        }
        return PARSE_GO_ON;
}

ParseResult globals_take_option(Globals *globals, int c, const char *argument) {
        switch (c) {
        case 'h':
                help_print(stdout);
                return PARSE_DONE;
        case OPTION_VERSION:
                printf("ktracectl %s\n", KTRACED_VERSION);
                return PARSE_DONE;
        case 'q':
                globals->quiet = true;
                return PARSE_GO_ON;
        case 'j':
                globals->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                return PARSE_GO_ON;
        case OPTION_JSON:
                return take_json_mode(globals, argument ?: "short");
        case OPTION_NO_PAGER:
                globals->pager = false;
                return PARSE_GO_ON;
        case OPTION_NO_LEGEND:
                globals->legend = false;
                return PARSE_GO_ON;
        case OPTION_NO_ASK_PASSWORD:
                globals->ask_password = false;
                return PARSE_GO_ON;
        case 'H':
                globals->host = argument;
                return PARSE_GO_ON;
        case OPTION_EMBEDDED:
                globals->embedded = true;
                return PARSE_GO_ON;
        default:
                /* getopt_long() has said what is wrong. */
                return PARSE_WRONG;
        }
}

static ParseResult parse(Globals *globals, int argc, char *argv[], const char *letters) {
        int c;

        optind = 0; /* glibc: begin anew */
        while ((c = getopt_long(argc, argv, letters, global_options, NULL)) >= 0) {
                ParseResult result = globals_take_option(globals, c, optarg);

                if (result != PARSE_GO_ON)
                        return result;
        }
        return PARSE_GO_ON;
}

ParseResult globals_parse_leading(Globals *globals, int argc, char *argv[], int *ret_next) {
        ParseResult result = parse(globals, argc, argv, "+" GLOBALS_SHORT);

        if (result == PARSE_GO_ON)
                *ret_next = optind;
        return result;
}

ParseResult globals_parse_words(Globals *globals, int argc, char *argv[], int min, int max, const char *usage,
                                char ***ret_words) {
        ParseResult result = parse(globals, argc, argv, GLOBALS_SHORT);

        if (result != PARSE_GO_ON)
                return result;
        if (argc - optind < min || (max >= 0 && argc - optind > max)) {
                (void) verb_usage("Usage: ktracectl %s", usage);
                return PARSE_WRONG;
        }
        *ret_words = argv + optind;
        return PARSE_GO_ON;
}

int parse_result_to_exit(ParseResult result) {
        return result == PARSE_WRONG ? EXIT_USAGE : EXIT_SUCCESS;
}
