/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/watch-spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = watch_spec_parse(text, &error, &watch);

        fuzz_check_error(&error, r, 3);
        FUZZ_CHECK(r < 0 || (watch.name && watch.what && watch.interval >= WATCH_INTERVAL_MIN && watch.daily > 0));
        FUZZ_CHECK(r < 0 || watch.kind != WATCH_LATENCY || (watch.from && watch.to && watch.match_to));
        FUZZ_CHECK(r < 0 || watch.kind != WATCH_PRESSURE || (watch.threshold > 0 && watch.threshold <= watch.window));
        return 0;
}
