/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl session ...`: sessions that live on without this command. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "client/absent-watches.h"
#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/json-print.h"
#include "client/pager.h"
#include "client/rates.h"
#include "client/session-table.h"
#include "client/verb-each.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"

static int session_list(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(session_rows_clear) SessionRows rows = { 0 };
        CLEANUP(table_freep) Table *table = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, "session list", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_list_sessions(client, &error, &rows);
        if (r < 0)
                return verb_failed(&error, "list sessions");
        r = session_table_new(client, &rows, &table);
        if (r >= 0) {
                pager_open(&pager, globals);
                r = table_print(table, globals, "session");
        }
        return r < 0 ? verb_failed_errno(r, "print the sessions") : EXIT_SUCCESS;
}

typedef int (*SessionCall)(BusClient *client, const char *path, Error *error);

static int call_session(BusClient *client, const char *name, SessionCall call, Error *error) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_session(client, name, error, &path);
        return r < 0 ? r : call(client, path, error);
}

static int stop_one(BusClient *client, const char *name, Error *error) {
        return call_session(client, name, bus_session_stop, error);
}

static int session_stop(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "stop session", "session stop SESSION...", .run = stop_one };

        return verb_each(&each, globals, argc, argv);
}

static int reload_one(BusClient *client, const char *name, Error *error) {
        return call_session(client, name, bus_session_reload, error);
}

static int session_reload(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "reload session", "session reload SESSION...", .run = reload_one };

        return verb_each(&each, globals, argc, argv);
}

static int rotate_one(BusClient *client, const char *name, Error *error) {
        return call_session(client, name, bus_session_rotate, error);
}

static int session_rotate(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "rotate session", "session rotate SESSION...", .run = rotate_one };

        return verb_each(&each, globals, argc, argv);
}

static int clear_one(BusClient *client, const char *name, Error *error) {
        return call_session(client, name, bus_session_clear, error);
}

static int session_clear(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "clear session", "session clear SESSION...", .run = clear_one };

        return verb_each(&each, globals, argc, argv);
}

static int remove_one(BusClient *client, const char *name, Error *error) {
        return call_session(client, name, bus_session_remove, error);
}

static int session_remove(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "remove session", "session remove SESSION...", .run = remove_one };

        return verb_each(&each, globals, argc, argv);
}

static int describe_one(BusClient *client, const char *name, Error *error, char **ret) {
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_session(client, name, error, &path);
        return r < 0 ? r : bus_session_describe(client, path, error, ret);
}

static int session_show(Globals *globals, int argc, char *argv[]) {
        static const VerbEach each = { "show session", "session show SESSION...", .describe = describe_one };

        return verb_each(&each, globals, argc, argv);
}

static int print_session(BusClient *client, const Globals *globals, const char *path) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(session_status_clear) SessionStatus status = { 0 };
        CLEANUP_JSON struct json_object *object = NULL;

        if (globals->quiet)
                return EXIT_SUCCESS;
        if (bus_session_get_status(client, path, &error, &status) < 0)
                return verb_failed(&error, "ask for the state of the session");
        if (globals->json == JSON_OFF) {
                puts(status.id);
                return EXIT_SUCCESS;
        }
        object = json_object_new_object();
        if (json_add(object, "id", json_object_new_string(status.id)) < 0 ||
            json_add(object, "state", json_object_new_string(status.state)) < 0)
                return verb_failed_errno(-ENOMEM, "print the session");
        json_print(globals, object);
        return EXIT_SUCCESS;
}

static int session_create(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(spec_args_clear) SpecArgs spec;
        CLEANUP_FREE char *path = NULL;
        ParseResult result;
        const char *name;

        spec_args_init(&spec);
        result = spec_args_parse(&spec, globals, argc, argv, "session create NAME --event=...|--profile=...", &name);
        if (result == PARSE_GO_ON)
                result = spec_args_check(&spec, false);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (spec.dry_run)
                return rates_estimate(globals, &spec);
        if (bus_client_new(globals, &error, &client) < 0)
                return verb_failed(&error, "connect to ktraced");
        if (bus_manager_create_session(client, name, &spec, &error, &path) < 0)
                return verb_failed(&error, "create session %s", name);
        return print_session(client, globals, path);
}

/* Without anything to trace, NAME is a session that is there. */
static int start(BusClient *client, const char *name, const SpecArgs *spec, Error *error, char **ret_path) {
        CLEANUP_FREE char *path = NULL;
        int r;

        if (spec->given)
                return bus_manager_start_session(client, name, spec, error, ret_path);
        r = bus_manager_get_session(client, name, error, &path);
        if (r >= 0)
                r = bus_session_start(client, path, error);
        if (r < 0)
                return r;
        *ret_path = STEAL_PTR(path);
        return 0;
}

static int session_start(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(spec_args_clear) SpecArgs spec;
        CLEANUP_FREE char *path = NULL;
        ParseResult result;
        const char *name;

        spec_args_init(&spec);
        result = spec_args_parse(&spec, globals, argc, argv, "session start NAME [--event=...|--profile=...]", &name);
        if (result == PARSE_GO_ON && spec.given)
                result = spec_args_check(&spec, false);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (spec.dry_run)
                return rates_estimate(globals, &spec);
        if (bus_client_new(globals, &error, &client) < 0)
                return verb_failed(&error, "connect to ktraced");
        if (start(client, name, &spec, &error, &path) < 0)
                return verb_failed(&error, "start session %s", name);
        if (spec.watches || spec.profile)
                absent_watches_print(client, path);
        return print_session(client, globals, path);
}

static int attach(BusClient *client, const char *path, const char *word, Error *error) {
        CLEANUP_CLOSE int pidfd = -1;
        uint64_t pid;

        if (parse_unsigned(word, &pid) < 0 || pid == 0 || pid > INT32_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "'%s' is not a process id", word);
        pidfd = pidfd_open((pid_t) pid, 0);
        if (pidfd < 0)
                return error_set_errno(error, -errno, "Cannot find the process");
        return bus_session_add_process(client, path, pidfd, error);
}

static int session_attach(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_FREE char *path = NULL;
        int exit_status = EXIT_SUCCESS;
        ParseResult result;
        char **words;

        result = globals_parse_words(globals, argc, argv, 2, -1, "session attach SESSION PID...", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (bus_client_new(globals, &error, &client) < 0)
                return verb_failed(&error, "connect to ktraced");
        if (bus_manager_get_session(client, words[0], &error, &path) < 0)
                return verb_failed(&error, "find session %s", words[0]);
        for (size_t i = 1; words[i]; i++) {
                CLEANUP(error_clear) Error attach_error = ERROR_INIT;

                if (attach(client, path, words[i], &attach_error) < 0)
                        exit_status = verb_failed(&attach_error, "attach process %s", words[i]);
        }
        return exit_status;
}

int verb_session(Globals *globals, int argc, char *argv[]) {
        static const Verb verbs[] = {
                { "list", session_list },     { "show", session_show },      { "create", session_create },
                { "start", session_start },   { "stop", session_stop },      { "rotate", session_rotate },
                { "reload", session_reload }, { "snapshot", verb_snapshot }, { "run", verb_run },
                { "clear", session_clear },   { "remove", session_remove },  { "attach", session_attach },
        };

        return verb_dispatch(verbs, ELEMENTSOF(verbs), "session verb", globals, argc, argv);
}
