/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(settings_clear) Settings settings = { 0 }, defaults = { 0 };
        int r;

        FUZZ_CHECK(settings_init(&settings) == 0 && settings_init(&defaults) == 0);
        r = settings_parse(&settings, text, "origin", &error);
        fuzz_check_error(&error, r, 1);
        FUZZ_CHECK(settings.clock && settings.sessions_max > 0);
        if (r < 0)
                FUZZ_CHECK(memcmp(&settings, &defaults, offsetof(Settings, clock)) == 0 &&
                           strcmp(settings.clock, defaults.clock) == 0);
        return 0;
}
