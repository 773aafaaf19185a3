/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/watch-limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const WatchTime now = { .boot_id = "this", .clock = WATCH_CLOCK_BOOT + 1000000, .realtime = 2000000 };
        CLEANUP_FREE char *text = fuzz_text(data, size), *formatted = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(watch_limits_clear) WatchLimits limits = { 0 }, again = { 0 };
        int r = watch_limits_parse(text, "origin", &now, &error, &limits);

        fuzz_check_error(&error, r, 1);
        if (r < 0)
                return 0;
        for (size_t i = 0; i < limits.n_limits; i++) {
                RateLimit limit = limits.limits[i].limit;

                limit.interval = 1000000;
                limit.max = 3;
                FUZZ_CHECK(limit.last <= now.clock && limit.begun <= now.clock);
                FUZZ_CHECK(rate_limit_next(&limit, now.clock) <= now.clock + RATE_LIMIT_DAY);
        }
        FUZZ_CHECK(watch_limits_format(&limits, "this", &formatted) == 0);
        FUZZ_CHECK(watch_limits_parse(formatted, "again", &now, NULL, &again) == 0);
        FUZZ_CHECK(again.n_limits == limits.n_limits);
        return 0;
}
