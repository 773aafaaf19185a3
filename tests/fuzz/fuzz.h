/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all fuzz targets share. Each feeds the input to one parser and holds what comes out to what the
 * header promises; FUZZ_CHECK stops the fuzzer, which keeps the input, when a promise is broken.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"

#define FUZZ_CHECK(condition)             \
        do {                              \
                if (!(condition))         \
                        __builtin_trap(); \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a string, in a block of just that size, so that reading beyond it is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1);

        FUZZ_CHECK(text);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        return text;
}

/* A failure has a code, and a message that can stand in a log; `lines` is how many lines it may have. */
static inline void fuzz_check_error(const Error *error, int r, unsigned lines) {
        CLEANUP_FREE char *copy = NULL;
        char *rest, *line;

        if (r >= 0) {
                FUZZ_CHECK(r == 0 && error->code == ERROR_NONE);
                return;
        }
        FUZZ_CHECK(error->code != ERROR_NONE && error->message);
        copy = strdup(error->message);
        FUZZ_CHECK(copy);
        rest = copy;
        while ((line = strsep(&rest, "\n"))) {
                FUZZ_CHECK(lines-- > 0);
                FUZZ_CHECK(text_is_printable(line));
        }
}
