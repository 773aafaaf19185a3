/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl probe ...`: the probes of sessions, and whether a definition is one. */

#include <stdio.h>
#include <stdlib.h>

#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/describe.h"
#include "client/event-print.h"
#include "client/json-print.h"
#include "client/pager.h"
#include "client/table.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/probe.h"

/* The array at object[key], or NULL. */
static struct json_object *array_of(struct json_object *object, const char *key) {
        struct json_object *array = NULL;

        return json_object_object_get_ex(object, key, &array) && json_object_is_type(array, json_type_array) ? array
                                                                                                             : NULL;
}

static void add_probe(Table *table, const SessionRow *session, const char *definition, struct json_object *files) {
        CLEANUP(probe_clear) Probe probe = { 0 };
        bool has_file;

        if (probe_parse(definition, NULL, &probe) < 0)
                return;
        has_file = probe.kind == PROBE_UPROBE || probe.kind == PROBE_URETPROBE;
        table_begin_row(table);
        table_add_string(table, probe.name);
        table_add_string(table, session->name);
        table_add_state(table, session->state);
        table_add_string(table, definition);
        table_add_string(table, has_file && files && probe.file < json_object_array_length(files)
                                        ? json_object_get_string(json_object_array_get_idx(files, probe.file))
                                        : "");
}

/* A session that has gone meanwhile has none. */
static void add_probes_of(BusClient *client, const SessionRow *session, Table *table) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        struct json_object *spec, *probes, *files;
        CLEANUP_FREE char *text = NULL;

        if (bus_session_describe(client, session->path, &error, &text) < 0 ||
            describe_parse(text, &error, &object) < 0 || !json_object_object_get_ex(object, "spec", &spec))
                return;
        probes = array_of(spec, "probes");
        files = array_of(object, "probe_files");
        for (size_t i = 0; probes && i < json_object_array_length(probes); i++)
                add_probe(table, session, json_object_get_string(json_object_array_get_idx(probes, i)), files);
}

static int probe_list(Globals *globals, int argc, char *argv[]) {
        static const TableColumn columns[] = {
                { .key = "name", .title = "NAME" },   { .key = "session", .title = "SESSION" },
                { .key = "state", .title = "STATE" }, { .key = "definition", .title = "DEFINITION" },
                { .key = "file", .title = "FILE" },
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(session_rows_clear) SessionRows rows = { 0 };
        CLEANUP(table_freep) Table *table = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, "probe list", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r >= 0)
                r = bus_manager_list_sessions(client, &error, &rows);
        if (r < 0)
                return verb_failed(&error, "list probes");
        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return verb_failed_errno(r, "list probes");
        /* Those without a name are other users'. */
        for (size_t i = 0; i < rows.n_rows; i++)
                if (*rows.rows[i].name != '\0')
                        add_probes_of(client, &rows.rows[i], table);
        pager_open(&pager, globals);
        r = table_print(table, globals, "probe");
        return r < 0 ? verb_failed_errno(r, "list probes") : EXIT_SUCCESS;
}

static int print_tried(const Globals *globals, struct json_object *object) {
        struct json_object *probes = array_of(object, "probes");
        int r = 0;

        if (globals->json != JSON_OFF) {
                json_print(globals, object);
                return 0;
        }
        for (size_t i = 0; r >= 0 && probes && i < json_object_array_length(probes); i++) {
                if (i > 0)
                        (void) putchar('\n');
                r = event_print(globals, json_object_array_get_idx(probes, i));
        }
        return r;
}

static int probe_try(Globals *globals, int argc, char *argv[]) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        CLEANUP(spec_args_clear) SpecArgs spec;
        CLEANUP_FREE char *text = NULL;
        ParseResult result;
        char **words;
        int r;

        spec_args_init(&spec);
        result = globals_parse_words(globals, argc, argv, 1, -1, "probe try DEFINITION...", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        for (size_t i = 0; words[i]; i++)
                if (probe_args_add(&spec.probes, words[i], &error) < 0)
                        return verb_failed(&error, "try the probe");
        r = bus_client_new(globals, &error, &client);
        if (r >= 0)
                r = bus_manager_try_probes(client, &spec, &error, &text);
        if (r >= 0)
                r = describe_parse(text, &error, &object);
        if (r < 0)
                return verb_failed(&error, "try the probe");
        if (globals->quiet)
                return EXIT_SUCCESS;
        pager_open(&pager, globals);
        r = print_tried(globals, object);
        return r < 0 ? verb_failed_errno(r, "print the probe") : EXIT_SUCCESS;
}

int verb_probe(Globals *globals, int argc, char *argv[]) {
        static const Verb verbs[] = {
                { "list", probe_list },
                { "try", probe_try },
        };

        return verb_dispatch(verbs, ELEMENTSOF(verbs), "probe verb", globals, argc, argv);
}
