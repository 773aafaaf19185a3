/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl session snapshot`: makes a capture of what a ring holds. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/json-print.h"
#include "client/unit-journal.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/strv.h"

enum {
        OPTION_AFTER = OPTION_OF_VERB,
        OPTION_REASON,
        OPTION_ALL,
        OPTION_ABOUT_UNIT,
};

/* As many as the daemon takes. */
#define JOURNAL_LINES 32U
#define JOURNAL_LENGTH 512U

typedef struct SnapshotArgs {
        const char *reason; /* NULL: none */
        const char *unit;   /* it is about; NULL: none */
        char **journal;     /* the last lines about the unit */
        uint64_t after;     /* usec */
        bool all;           /* of every ring that records */
} SnapshotArgs;

static ParseResult parse(SnapshotArgs *args, Globals *globals, int argc, char *argv[]) {
        static const struct option options[] = {
                GLOBALS_LONG,
                { "after", required_argument, NULL, OPTION_AFTER },
                { "reason", required_argument, NULL, OPTION_REASON },
                { "all", no_argument, NULL, OPTION_ALL },
                { "unit", required_argument, NULL, OPTION_ABOUT_UNIT },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT, options, NULL)) >= 0) {
                ParseResult result = PARSE_GO_ON;

                if (c == OPTION_REASON)
                        args->reason = optarg;
                else if (c == OPTION_ABOUT_UNIT)
                        args->unit = optarg;
                else if (c == OPTION_ALL)
                        args->all = true;
                else if (c != OPTION_AFTER)
                        result = globals_take_option(globals, c, optarg);
                else if (parse_span(optarg, &args->after) < 0) {
                        (void) verb_usage("--after '%s': expected a time such as 2s.", optarg);
                        result = PARSE_WRONG;
                }
                if (result != PARSE_GO_ON)
                        return result;
        }
        if ((argc == optind) != args->all) {
                (void) verb_usage("Usage: ktracectl session snapshot SESSION...|--all [--after=TIME] [--reason=TEXT] "
                                  "[--unit=UNIT]");
                return PARSE_WRONG;
        }
        return PARSE_GO_ON;
}

static int take(BusClient *client, const Globals *globals, const char *name, const char *path,
                const SnapshotArgs *args, Error *error) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *id = NULL;
        int r;

        r = bus_session_snapshot(client, path, args->reason, args->journal, args->after, error, &id);
        if (r < 0 || globals->quiet)
                return r;
        if (globals->json == JSON_OFF) {
                puts(id);
                return 0;
        }
        object = json_object_new_object();
        if (json_add(object, "session", json_object_new_string(name)) < 0 ||
            json_add(object, "capture", json_object_new_string(id)) < 0)
                return error_set_errno(error, -ENOMEM, "Cannot print the capture");
        json_print(globals, object);
        return 0;
}

static int take_named(BusClient *client, const Globals *globals, const char *name, const SnapshotArgs *args,
                      Error *error) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_session(client, name, error, &path);
        return r < 0 ? r : take(client, globals, name, path, args, error);
}

/* That there is none is no failure: this is for units that do not know what is recorded. */
static int take_all(BusClient *client, const Globals *globals, const SnapshotArgs *args) {
        CLEANUP(error_clear) Error list_error = ERROR_INIT;
        CLEANUP(session_rows_clear) SessionRows rows = { 0 };
        int exit_status = EXIT_SUCCESS;

        if (bus_manager_list_sessions(client, &list_error, &rows) < 0)
                return verb_failed(&list_error, "list sessions");
        for (size_t i = 0; i < rows.n_rows; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                const SessionRow *row = &rows.rows[i];

                if (strcmp(row->mode, "ring") == 0 && strcmp(row->state, "active") == 0 &&
                    take(client, globals, row->id, row->path, args, &error) < 0)
                        exit_status = verb_failed(&error, "take a snapshot of session %s", row->id);
        }
        return exit_status;
}

/* A journal that cannot be read is no reason to go without the snapshot. */
static int look_at_unit(SnapshotArgs *args, char **ret_reason) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (!args->unit)
                return 0;
        if (unit_journal_read(args->unit, JOURNAL_LINES, JOURNAL_LENGTH, &error, &args->journal) < 0)
                (void) verb_failed(&error, "read what was said about %s", args->unit);
        if (args->reason)
                return 0;
        if (asprintf(ret_reason, "unit %s", args->unit) < 0) {
                *ret_reason = NULL;
                return -ENOMEM;
        }
        args->reason = *ret_reason;
        return 0;
}

static void args_clear(SnapshotArgs *args) {
        strv_free(args->journal);
}

int verb_snapshot(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error connection_error = ERROR_INIT;
        CLEANUP_FREE char *reason = NULL;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        int exit_status = EXIT_SUCCESS;
        CLEANUP(args_clear) SnapshotArgs args = { 0 };
        ParseResult result;
        int r;

        result = parse(&args, globals, argc, argv);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = look_at_unit(&args, &reason);
        if (r < 0)
                return verb_failed(&(Error){ .code = ERROR_NO_MEMORY }, "take a snapshot");
        if (bus_client_new(globals, &connection_error, &client) < 0)
                return verb_failed(&connection_error, "connect to ktraced");
        if (args.all)
                return take_all(client, globals, &args);
        for (int i = optind; i < argc; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;

                if (take_named(client, globals, argv[i], &args, &error) < 0)
                        exit_status = verb_failed(&error, "take a snapshot of session %s", argv[i]);
        }
        return exit_status;
}
