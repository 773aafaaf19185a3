/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <stdio.h>

#include "core/synthetic-event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *again = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 }, second = { 0 };
        char *list[] = { text, text, NULL };
        int r = synthetic_event_parse(text, &error, &event);

        fuzz_check_error(&error, r, 3);
        if (r < 0)
                return 0;
        FUZZ_CHECK(strlen(event.name) <= SYNTHETIC_NAME_LENGTH && event.n_fields <= SYNTHETIC_FIELDS_MAX);
        FUZZ_CHECK(synthetic_events_have(list, event.name, NULL));
        FUZZ_CHECK(synthetic_events_check(list, NULL, NULL, NULL) < 0);
        FUZZ_CHECK(asprintf(&again, "%s %s", event.name, event.fields) > 0);
        /* Spaces may have made it longer than a client's may be. */
        if (synthetic_event_parse(again, NULL, &second) >= 0)
                FUZZ_CHECK(strcmp(event.fields, second.fields) == 0 && event.has_stack == second.has_stack);
        return 0;
}
