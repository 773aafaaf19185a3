/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/json-text.h"
#include "core/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *description = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(profile_freep) Profile *profile = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        int r = profile_parse("name", text, "origin", &error, &profile);

        fuzz_check_error(&error, r, 3);
        if (r < 0)
                return 0;
        FUZZ_CHECK(profile->description && profile->spec);
        FUZZ_CHECK(profile_describe(profile, &description) == 0);
        FUZZ_CHECK(json_text_parse(description, "description", NULL, &object) == 0);
        return 0;
}
