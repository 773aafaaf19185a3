/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl status`: what ktraced is, what the kernel lets it do, and its sessions; and `ktracectl reload`. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-manager.h"
#include "client/describe.h"
#include "client/json-print.h"
#include "client/pager.h"
#include "client/session-table.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"

#define LABEL_WIDTH 12
#define LINE_WIDTH 80U

typedef struct Status {
        struct json_object *manager;
        CapabilityRows capabilities;
        SessionRows sessions;
        Table *table; /* of them */
} Status;

static void status_clear(Status *status) {
        (void) json_object_put(status->manager);
        capability_rows_clear(&status->capabilities);
        session_rows_clear(&status->sessions);
        table_free(status->table);
}

static int status_read(Status *status, BusClient *client, Error *error) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = bus_manager_describe(client, error, &text);
        if (r >= 0)
                r = describe_parse(text, error, &status->manager);
        if (r >= 0)
                r = bus_manager_capabilities(client, error, &status->capabilities);
        if (r >= 0)
                r = bus_manager_list_sessions(client, error, &status->sessions);
        if (r < 0)
                return r;
        r = session_table_new(client, &status->sessions, &status->table);
        return r < 0 ? error_set_errno(error, r, "Cannot list the sessions") : 0;
}

static int features_to_json(const CapabilityRows *rows, struct json_object **ret) {
        CLEANUP_JSON struct json_object *features = json_object_new_object();

        for (size_t i = 0; i < rows->n_features; i++) {
                const FeatureRow *feature = &rows->features[i];
                int r;

                r = json_add(features, feature->name,
                             feature->reason ? json_object_new_string(feature->reason)
                                             : json_object_new_boolean(true));
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(features);
        return 0;
}

static int print_json(const Status *status, const Globals *globals) {
        CLEANUP_JSON struct json_object *object = json_object_new_object(), *features = NULL;
        int r;

        r = features_to_json(&status->capabilities, &features);
        if (r >= 0)
                r = json_add(object, "manager", json_object_get(status->manager));
        if (r >= 0)
                r = json_add(object, "features", STEAL_PTR(features));
        if (r >= 0)
                r = json_add(object, "sessions", json_object_get(table_rows(status->table)));
        if (r < 0)
                return r;
        json_print(globals, object);
        return 0;
}

static uint64_t member(struct json_object *object, const char *key) {
        struct json_object *value;

        return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static void print_use(const char *label, struct json_object *budget) {
        struct json_object *name, *unit;
        bool is_size = json_object_object_get_ex(budget, "unit", &unit) && *json_object_get_string(unit) != '\0';
        const char *const keys[] = { "used", "limit", "user_used", "user_limit" };
        char numbers[ELEMENTSOF(keys)][32];

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (is_size)
                        (void) format_size(member(budget, keys[i]), numbers[i], sizeof(numbers[i]));
                else
                        (void) snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, member(budget, keys[i]));
        if (!json_object_object_get_ex(budget, "name", &name))
                return;
        printf("%*s %s: %s", LABEL_WIDTH, label, json_object_get_string(name), numbers[0]);
        if (member(budget, "limit") > 0)
                printf(" of %s", numbers[1]);
        if (member(budget, "user_limit") > 0)
                printf(", yours %s of %s", numbers[2], numbers[3]);
        putchar('\n');
}

static void print_budgets(struct json_object *manager) {
        struct json_object *budgets;

        if (!json_object_object_get_ex(manager, "budgets", &budgets) ||
            !json_object_is_type(budgets, json_type_array))
                return;
        for (size_t i = 0; i < json_object_array_length(budgets); i++)
                print_use(i == 0 ? "Budgets:" : "", json_object_array_get_idx(budgets, i));
}

static void print_manager(struct json_object *manager, const Globals *globals) {
        struct json_object *version;

        printf("%s●%s ktraced", color_begin(globals->colors, COLOR_GOOD), color_end(globals->colors, COLOR_GOOD));
        if (json_object_object_get_ex(manager, "version", &version))
                printf(" %s", json_object_get_string(version));
        if (globals->host)
                printf(" on %s", globals->host);
        printf("\n%*s %" PRIu64 " (%" PRIu64 " active)\n", LABEL_WIDTH, "Sessions:", member(manager, "sessions"),
               member(manager, "sessions_active"));
        printf("%*s %" PRIu64 "\n", LABEL_WIDTH, "Captures:", member(manager, "captures"));
        printf("%*s %" PRIu64 "\n", LABEL_WIDTH, "Profiles:", member(manager, "profiles"));
        print_budgets(manager);
}

/* What the kernel has, in lines that a terminal of the usual width holds. */
static void print_present(const CapabilityRows *rows) {
        size_t column = 0;

        for (size_t i = 0; i < rows->n_features; i++) {
                const FeatureRow *feature = &rows->features[i];

                if (feature->reason)
                        continue;
                if (column == 0 || column + strlen(feature->name) + strlen(", ") > LINE_WIDTH) {
                        printf("%s%*s ", column > 0 ? ",\n" : "", LABEL_WIDTH, column > 0 ? "" : "Kernel has:");
                        column = LABEL_WIDTH + strlen(" ");
                } else
                        column += (size_t) printf(", ");
                column += (size_t) printf("%s", feature->name);
        }
        if (column > 0)
                putchar('\n');
}

static void print_absent(const CapabilityRows *rows, const Globals *globals) {
        const char *label = "Lacks:";

        for (size_t i = 0; i < rows->n_features; i++) {
                const FeatureRow *feature = &rows->features[i];

                if (!feature->reason)
                        continue;
                printf("%*s %s%s (%s)%s\n", LABEL_WIDTH, label, color_begin(globals->colors, COLOR_FAINT),
                       feature->name, feature->reason, color_end(globals->colors, COLOR_FAINT));
                label = "";
        }
}

static int print_text(const Status *status, const Globals *globals) {
        print_manager(status->manager, globals);
        print_present(&status->capabilities);
        print_absent(&status->capabilities, globals);
        if (status->sessions.n_rows == 0)
                return 0;
        putchar('\n');
        return table_print(status->table, globals, NULL);
}

int verb_status(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        CLEANUP(status_clear) Status status = { 0 };
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, "status", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = status_read(&status, client, &error);
        if (r < 0)
                return verb_failed(&error, "ask for the status");
        pager_open(&pager, globals);
        r = globals->json != JSON_OFF ? print_json(&status, globals) : print_text(&status, globals);
        return r < 0 ? verb_failed_errno(r, "print the status") : EXIT_SUCCESS;
}

int verb_reload(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        ParseResult result;
        char **words;
        int r;

        result = globals_parse_words(globals, argc, argv, 0, 0, "reload", &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = bus_manager_reload(client, &error);
        return r < 0 ? verb_failed(&error, "reload the settings") : EXIT_SUCCESS;
}
