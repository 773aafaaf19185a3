/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/trigger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(trigger_clear) Trigger trigger = { 0 };
        int r = trigger_parse(text, &error, &trigger);

        fuzz_check_error(&error, r, 3);
        FUZZ_CHECK(r < 0 ||
                   (trigger.event && *trigger.event != '\0' && trigger.command && !strchr(trigger.command, ' ')));
        return 0;
}
