/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/histogram.h"
#include "core/json-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP_JSON struct json_object *json = NULL;

        if (histogram_text_to_json(text, &json) == 0)
                FUZZ_CHECK(json_object_is_type(json, json_type_array) && json_object_array_length(json) > 0);
        return 0;
}
