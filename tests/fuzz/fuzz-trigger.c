/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/trigger.h"

static void check(int (*parse)(const char *, Error *, Trigger *), const char *text) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(trigger_clear) Trigger trigger = { 0 };
        int r = parse(text, &error, &trigger);

        fuzz_check_error(&error, r, 3);
        FUZZ_CHECK(r < 0 ||
                   (trigger.event && *trigger.event != '\0' && trigger.command && !strchr(trigger.command, ' ')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const FilterField fields[] = { { .name = "pid" } };
        CLEANUP_FREE char *text = fuzz_text(data, size);

        check(trigger_parse, text);
        check(histogram_parse, text);
        (void) histogram_check_fields(text, fields, 1, NULL);
        return 0;
}
