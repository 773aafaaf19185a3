/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/pressure-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        uint64_t some = 0, full = 0;

        FUZZ_CHECK(pressure_parse_total(text, false, &some) <= 0);
        FUZZ_CHECK(pressure_parse_total(text, true, &full) <= 0);
        return 0;
}
