/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <errno.h>

#include "client/when.h"

#define NOW UINT64_C(1795525200000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        uint64_t when = 77;
        int r = when_parse(text, NOW, &when);

        FUZZ_CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE) && when == 77));
        return 0;
}
