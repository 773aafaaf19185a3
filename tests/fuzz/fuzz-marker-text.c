/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/marker-text.h"
#include "core/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        MarkerText text = { .n = 0 };
        char line[MARKER_LINE_MAX + 1];
        size_t at = 0, n_out = 0;

        while (at < size) {
                size_t space, n;
                char *to = marker_text_space(&text, &space);

                FUZZ_CHECK(space > 0);
                n = size - at < space ? size - at : space;
                memcpy(to, data + at, n);
                marker_text_added(&text, n);
                at += n;
                while (marker_text_next(&text, line)) {
                        FUZZ_CHECK(*line != '\0' && text_is_printable(line));
                        n_out += strlen(line);
                }
        }
        marker_text_end(&text);
        while (marker_text_next(&text, line))
                n_out += strlen(line);
        FUZZ_CHECK(n_out <= size);
        return 0;
}
