/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <errno.h>

#include "kernel/error-log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *message = NULL;
        int r = error_log_parse_last(text, &message);

        FUZZ_CHECK(r == 0 ? message != NULL : r == -ENOENT && !message);
        return 0;
}
