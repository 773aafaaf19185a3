/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Verb: one word of the command line that says what to do, and the function that does it. Verbs stand in
 * tables, main's and one for each verb with sub-verbs; the first of a table is its default.
 */

#include <stddef.h>

#include "client/options.h"
#include "core/error.h"

typedef struct Verb {
        const char *name;
        /* argv[0] is the program's name, for messages of getopt; what follows the verb comes after it.
         * Returns the exit status. */
        int (*run)(Globals *globals, int argc, char *argv[]);
} Verb;

/* Reads the global options before the verb, finds it and runs it. `what` ("verb", "session verb") goes into
 * the message when there is none of that name. Returns the exit status. */
int verb_dispatch(const Verb *verbs, size_t n_verbs, const char *what, Globals *globals, int argc, char *argv[]);

/* Prints "Failed to <...>: <error>" to standard error. Returns EXIT_FAILURE. */
int verb_failed(const Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for -errno. */
int verb_failed_errno(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the sentence to standard error. Returns EXIT_USAGE. */
int verb_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

int verb_status(Globals *globals, int argc, char *argv[]);
int verb_session(Globals *globals, int argc, char *argv[]);
int verb_hist(Globals *globals, int argc, char *argv[]);
int verb_mark(Globals *globals, int argc, char *argv[]);
int verb_monitor(Globals *globals, int argc, char *argv[]);
int verb_capture_list(Globals *globals, int argc, char *argv[]);
int verb_vacuum(Globals *globals, int argc, char *argv[]);
int verb_run(Globals *globals, int argc, char *argv[]);
int verb_snapshot(Globals *globals, int argc, char *argv[]);
int verb_record(Globals *globals, int argc, char *argv[]);
int verb_show(Globals *globals, int argc, char *argv[]);
int verb_report(Globals *globals, int argc, char *argv[]);
int verb_capture(Globals *globals, int argc, char *argv[]);
int verb_list(Globals *globals, int argc, char *argv[]);
int verb_probe(Globals *globals, int argc, char *argv[]);
int verb_reload(Globals *globals, int argc, char *argv[]);
