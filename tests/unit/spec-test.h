/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of a spec share: a spec for each test, and setting a key to a value of one type.
 */

#include "test.h"

#include "core/spec.h"

static inline int spec_test_setup(void **state) {
        return spec_new((Spec **) state);
}

static inline int spec_test_teardown(void **state) {
        spec_free(*state);
        return 0;
}

static inline int set_string(Spec *spec, SpecKey key, const char *string, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRING, .string = string }, error);
}

static inline int set_number(Spec *spec, SpecKey key, uint64_t number, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_UNSIGNED, .number = number }, error);
}

static inline int set_boolean(Spec *spec, SpecKey key, bool boolean, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_BOOLEAN, .boolean = boolean }, error);
}

/* `list` is separated by spaces. */
static inline int set_list(Spec *spec, SpecKey key, const char *list, Error *error) {
        CLEANUP(strv_freep) char **strings = NULL;

        assert_int_equal(strv_split(list, " ", &strings), 0);
        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, error);
}

static inline int set_one(Spec *spec, SpecKey key, const char *entry, Error *error) {
        char *strings[] = { (char *) entry, NULL };

        return spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, error);
}

static inline int set_filter(Spec *spec, const char *pattern, const char *expression, Error *error) {
        char *strings[] = { (char *) pattern, (char *) expression, NULL };

        return spec_set(spec, SPEC_FILTERS, &(SpecValue){ .has = SPEC_TYPE_MAP, .strings = strings }, error);
}

static inline int set_pids(Spec *spec, const int64_t *numbers, size_t n, Error *error) {
        return spec_set(spec, SPEC_PIDS, &(SpecValue){ .has = SPEC_TYPE_NUMBERS, .numbers = numbers, .n_numbers = n },
                        error);
}

static inline int set_fds(Spec *spec, SpecKey key, SpecType type, const int *fds, size_t n, Error *error) {
        return spec_set(spec, key, &(SpecValue){ .has = type, .fds = fds, .n_fds = n }, error);
}

#define spec_test(function) cmocka_unit_test_setup_teardown(function, spec_test_setup, spec_test_teardown)
