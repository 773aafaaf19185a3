/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "fuzz.h"

#include "core/memory-info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        MemoryInfo info = { 0 };
        int r = memory_info_parse(text, &info);

        FUZZ_CHECK(r == 0 || r == -EINVAL);
        FUZZ_CHECK(r == 0 || (info.total == 0 && info.available == 0));
        FUZZ_CHECK(info.total % 1024 == 0 && info.available % 1024 == 0);
        return 0;
}
