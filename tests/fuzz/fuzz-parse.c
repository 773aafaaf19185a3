/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Numbers, sizes and spans of time, and text that is to be escaped. */

#include "fuzz.h"

#include <errno.h>

#include "core/parse.h"

static void check_result(int r, uint64_t value) {
        FUZZ_CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE) && value == 77));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        uint64_t number = 77, bytes = 77, usec = 77, permille = 77, again;
        char buffer[128];
        int r;

        check_result(parse_unsigned(text, &number), number);
        r = parse_size(text, &bytes);
        check_result(r, bytes);
        if (r == 0)
                FUZZ_CHECK(strspn(format_size(bytes, buffer, sizeof(buffer)), "0123456789") <= 3);
        r = parse_percent(text, &permille);
        FUZZ_CHECK(r == 0 ? permille <= 1000 : r == -EINVAL || r == -ERANGE);
        check_result(r < 0 ? r : 0, permille);
        r = parse_span(text, &usec);
        check_result(r, usec);
        if (r == 0)
                FUZZ_CHECK(parse_span(format_span(usec, buffer, sizeof(buffer)), &again) == 0 && again == usec);

        FUZZ_CHECK(text_is_printable(text_escape(text, buffer, sizeof(buffer))));
        FUZZ_CHECK(text_is_printable(text_escape(text, buffer, 16)) && strlen(buffer) < 16);
        FUZZ_CHECK(!name_is_valid(text) || text_is_printable(text));
        FUZZ_CHECK(!id_is_valid(text) || !strchr(text, '/'));
        return 0;
}
