/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const FilterField fields[] = {
                { .name = "prev_comm", .is_string = true },
                { .name = "prev_pid" },
                { .name = "mask", .is_cpumask = true },
                { .name = "ip", .is_pointer = true },
        };
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT, without_fields = ERROR_INIT;

        fuzz_check_error(&error, filter_check(text, fields, ELEMENTSOF(fields), &error), 3);
        fuzz_check_error(&without_fields, filter_check(text, NULL, 0, &without_fields), 3);
        return 0;
}
