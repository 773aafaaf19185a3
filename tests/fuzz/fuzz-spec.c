/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/json-text.h"
#include "core/spec-json.h"

static int read_spec(struct json_object *object, Spec *spec, Error *error) {
        json_object_object_foreach(object, key, member) {
                int r = spec_set_member_from_json(spec, key, member, error);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* A spec that was read can be copied, written and read again, and then wants the same from the kernel. */
static void check_round_trip(const Spec *spec) {
        CLEANUP(spec_freep) Spec *copy = NULL, *again = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *key = NULL, *copy_key = NULL, *key_again = NULL;

        FUZZ_CHECK(spec_copy(spec, &copy) == 0);
        FUZZ_CHECK(spec_to_json(spec, &object) == 0);
        FUZZ_CHECK(spec_new(&again) == 0);
        FUZZ_CHECK(read_spec(object, again, NULL) == 0);
        FUZZ_CHECK(again->given == spec->given && copy->given == spec->given);
        FUZZ_CHECK(spec_powers(again) == spec_powers(spec));
        FUZZ_CHECK(spec_source_key(spec, &key) == 0);
        FUZZ_CHECK(spec_source_key(copy, &copy_key) == 0);
        FUZZ_CHECK(spec_source_key(again, &key_again) == 0);
        FUZZ_CHECK(!key || !spec_has_processes(spec));
        FUZZ_CHECK(!key == !copy_key && !key == !key_again);
        FUZZ_CHECK(!key || (strcmp(key, copy_key) == 0 && strcmp(key, key_again) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT, invalid = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL, *merged = NULL;
        int r = json_text_parse(text, "spec", &error, &object);

        if (r == 0) {
                FUZZ_CHECK(spec_new(&spec) == 0);
                r = read_spec(object, spec, &error);
        }
        fuzz_check_error(&error, r, 3);
        if (r < 0)
                return 0;
        check_round_trip(spec);
        fuzz_check_error(&invalid, spec_validate(spec, &invalid), 3);
        FUZZ_CHECK(spec_merge(spec, spec, &merged) == 0);
        return 0;
}
