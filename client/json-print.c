/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/json-print.h"

#include <errno.h>
#include <stdio.h>

void json_print(const Globals *globals, struct json_object *object) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

        if (globals->json != JSON_SHORT)
                flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
        puts(json_object_to_json_string_ext(object, flags));
}

int json_add(struct json_object *container, const char *key, struct json_object *member) {
        if (container && member &&
            (key ? json_object_object_add(container, key, member) : json_object_array_add(container, member)) == 0)
                return 0;
        (void) json_object_put(member);
        return -ENOMEM;
}
