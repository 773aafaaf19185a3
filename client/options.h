/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Globals: the options that every verb of ktracectl takes, as systemctl and busctl have them.
 *
 * They may stand before the verb, between a verb and its sub-verb, and among the verb's own arguments. A
 * verb with options of its own puts GLOBALS_SHORT and GLOBALS_LONG into what it hands to getopt_long(3) and
 * passes what it does not know to globals_take_option().
 *
 * Life cycle: globals_init() once in main(); filled while the command line is read; constant afterwards.
 * The strings are those of argv.
 */

#include <getopt.h>
#include <stdbool.h>

/* Exit status for a command line that makes no sense; EXIT_FAILURE is for what was tried and failed. */
#define EXIT_USAGE 2

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

typedef struct Globals {
        JsonMode json;
        bool legend;
        bool pager;
        bool ask_password;
        bool quiet;
        bool embedded;
        bool colors;      /* standard output may be coloured */
        const char *host; /* NULL: this one */
} Globals;

/* Values for long options without a letter: the global ones, then room for those of verbs. */
enum {
        OPTION_JSON = 0x100,
        OPTION_NO_PAGER,
        OPTION_NO_LEGEND,
        OPTION_NO_ASK_PASSWORD,
        OPTION_EMBEDDED,
        OPTION_VERSION,
        OPTION_OF_VERB = 0x200,
};

#define GLOBALS_SHORT "hqjH:"
#define GLOBALS_LONG                                                                                   \
        { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, OPTION_VERSION },          \
                { "quiet", no_argument, NULL, 'q' }, { "json", optional_argument, NULL, OPTION_JSON }, \
                { "no-pager", no_argument, NULL, OPTION_NO_PAGER },                                    \
                { "no-legend", no_argument, NULL, OPTION_NO_LEGEND },                                  \
                { "no-ask-password", no_argument, NULL, OPTION_NO_ASK_PASSWORD },                      \
                { "host", required_argument, NULL, 'H' }, {                                            \
                "embedded", no_argument, NULL, OPTION_EMBEDDED                                         \
        }

/* What reading options came to. */
typedef enum ParseResult {
        PARSE_GO_ON,
        PARSE_DONE,  /* help or version was printed: exit successfully */
        PARSE_WRONG, /* a message was printed: exit with EXIT_USAGE */
} ParseResult;

void globals_init(Globals *globals);

/* `c` is what getopt_long() returned, including '?'. */
ParseResult globals_take_option(Globals *globals, int c, const char *argument);

/* Reads the global options at the start of argv[1...]; *ret_next is the index of the first other word. */
ParseResult globals_parse_leading(Globals *globals, int argc, char *argv[], int *ret_next);

/* Reads the global options anywhere in argv[1...], for a verb without options of its own. There must be
 * `min` to `max` other words (max -1: any number); `usage` is shown when there are not. The words are moved
 * to the end of argv; *ret_words points there, NULL terminated. */
ParseResult globals_parse_words(Globals *globals, int argc, char *argv[], int min, int max, const char *usage,
                                char ***ret_words);

/* The exit status for a result that is not PARSE_GO_ON. */
int parse_result_to_exit(ParseResult result);
