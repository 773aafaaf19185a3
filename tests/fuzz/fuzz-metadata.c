/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *first = NULL, *second = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL, *again = NULL, *copy = NULL;
        int r = metadata_parse(text, &error, &metadata);

        fuzz_check_error(&error, r, 1);
        if (r < 0)
                return 0;
        /* What was written is read without loss. */
        FUZZ_CHECK(metadata_format(metadata, &first) == 0);
        FUZZ_CHECK(metadata_parse(first, NULL, &again) == 0);
        FUZZ_CHECK(metadata_copy(again, &copy) == 0);
        FUZZ_CHECK(metadata_format(copy, &second) == 0);
        FUZZ_CHECK(strcmp(first, second) == 0);
        return 0;
}
