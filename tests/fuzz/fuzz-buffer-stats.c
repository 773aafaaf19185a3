/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <errno.h>

#include "core/buffer-stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        BufferStats stats = { .entries = 77 };
        int r = buffer_stats_parse(text, &stats);

        FUZZ_CHECK(r == 0 || (r == -EINVAL && stats.entries == 77));
        FUZZ_CHECK(buffer_stats_lost(&stats) == stats.overrun + stats.commit_overrun + stats.dropped);
        return 0;
}
