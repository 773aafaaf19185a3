/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/absent-watches.h"

#include <stdio.h>

#include "client/bus-session.h"
#include "client/describe.h"
#include "core/json-text.h"

void absent_watches_print(BusClient *client, const char *session_path) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_JSON struct json_object *description = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *watches, *why;

        if (bus_session_describe(client, session_path, &error, &text) < 0 ||
            describe_parse(text, &error, &description) < 0 ||
            !json_object_object_get_ex(description, "watches", &watches))
                return;
        for (size_t i = 0; i < json_object_array_length(watches); i++)
                if (json_object_object_get_ex(json_object_array_get_idx(watches, i), "absent", &why) && why)
                        fprintf(stderr, "The session starts without a watch: %s\n", json_object_get_string(why));
}
