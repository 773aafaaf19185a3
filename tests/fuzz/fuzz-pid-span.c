/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "fuzz.h"

#include "core/pid-span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        pid_t pid = -1;
        int r = pid_span_parse_newest(text, &pid);

        FUZZ_CHECK(r == 0 || r == -EBADMSG);
        FUZZ_CHECK(r < 0 || pid >= 0);
        FUZZ_CHECK(r < 0 || !pid_span_contains(pid, pid, pid));
        return 0;
}
