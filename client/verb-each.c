/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/verb-each.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/describe.h"
#include "client/verb.h"
#include "core/json-text.h"

static int show(const VerbEach *each, BusClient *client, const Globals *globals, const char *name, Pager *pager,
                bool first, Error *error) {
        CLEANUP_JSON struct json_object *description = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        r = each->describe(client, name, error, &text);
        if (r >= 0)
                r = describe_parse(text, error, &description);
        if (r < 0)
                return r;
        pager_open(pager, globals);
        if (!first && globals->json == JSON_OFF)
                putchar('\n');
        describe_print(globals, description);
        return 0;
}

int verb_each(const VerbEach *each, Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error connection_error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        int exit_status = EXIT_SUCCESS;
        ParseResult result;
        char **words;

        result = globals_parse_words(globals, argc, argv, 1, -1, each->usage, &words);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (bus_client_new(globals, &connection_error, &client) < 0)
                return verb_failed(&connection_error, "connect to ktraced");
        for (size_t i = 0; words[i]; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = each->run ? each->run(client, words[i], &error)
                                  : show(each, client, globals, words[i], &pager, i == 0, &error);

                if (r < 0)
                        exit_status = verb_failed(&error, "%s %s", each->what, words[i]);
        }
        return exit_status;
}
