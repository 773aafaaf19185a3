/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/lease-state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *formatted = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(lease_state_clear) LeaseState state = { 0 }, again = { 0 };
        int r = lease_state_parse(text, "origin", &error, &state);

        fuzz_check_error(&error, r, 1);
        if (r < 0)
                return 0;
        FUZZ_CHECK(lease_state_format(&state, &formatted) == 0);
        FUZZ_CHECK(lease_state_parse(formatted, "again", NULL, &again) == 0);
        FUZZ_CHECK(again.n_settings == state.n_settings);
        return 0;
}
