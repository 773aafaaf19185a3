/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/spec.h"

static void set_string(Spec *spec, SpecKey key, const char *string) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_succeeds(spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRING, .string = string }, &error),
                        &error);
}

static void set_list(Spec *spec, SpecKey key, char *entry) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char *strings[] = { entry, NULL };

        assert_succeeds(spec_set(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = strings }, &error),
                        &error);
}

/* Scope self with an event; the list of processes is empty, which AddProcess can change. */
static Spec *make(bool processes) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char event[] = "raw_syscalls:sys_enter";
        Spec *spec;

        assert_int_equal(spec_new(&spec), 0);
        set_string(spec, SPEC_SCOPE, SPEC_SCOPE_SELF);
        set_list(spec, SPEC_EVENTS, event);
        if (processes)
                assert_succeeds(spec_set(spec, SPEC_PIDFDS, &(SpecValue){ .has = SPEC_TYPE_FDS }, &error), &error);
        return spec;
}

static void test_values(void **state) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(spec_new(&spec), 0);
        assert_false(spec_is_self(spec));
        assert_string_equal(spec_scope(spec), "system");
        assert_int_equal(spec_powers(spec), POWER_TRACE_SYSTEM);
        assert_fails(spec_set(spec, SPEC_SCOPE, &(SpecValue){ .has = SPEC_TYPE_STRING, .string = "all" }, &error),
                     &error, ERROR_INVALID_ARGUMENT, "scope");
        set_string(spec, SPEC_SCOPE, "system");
        assert_false(spec_is_self(spec));
}

static void test_self(void **state) {
        CLEANUP(spec_freep) Spec *spec = make(true), *copy = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *key = NULL;

        assert_true(spec_is_self(spec));
        assert_succeeds(spec_validate(spec, &error), &error);
        assert_int_equal(spec_powers(spec), POWER_TRACE_SELF);
        assert_int_equal(spec_source_key(spec, &key), 0);
        assert_null(key);
        assert_int_equal(spec_copy(spec, &copy), 0);
        assert_true(spec_is_self(copy));
}

static void test_needs_descriptors_of_processes(void **state) {
        CLEANUP(spec_freep) Spec *without = make(false), *with_numbers = make(true);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const int64_t pid = 1;

        assert_fails(spec_validate(without, &error), &error, ERROR_OUT_OF_SCOPE, "needs pidfds");
        assert_succeeds(spec_set(with_numbers, SPEC_PIDS,
                                 &(SpecValue){ .has = SPEC_TYPE_NUMBERS, .numbers = &pid, .n_numbers = 1 }, &error),
                        &error);
        assert_fails(spec_validate(with_numbers, &error), &error, ERROR_OUT_OF_SCOPE, "pids: ");
}

static void test_excludes(void **state) {
        static const struct {
                SpecKey key;
                const char *string; /* NULL: true */
                const char *message;
        } cases[] = {
                { SPEC_SYMBOLS, NULL,
                  "symbols: not in scope \"self\"; scope \"system\" takes it, with the action "
                  "org.ktraced1.kernel-addresses" },
                { SPEC_MODE, "ring", "mode: " },
                { SPEC_TRACER, "function", "org.ktraced1.trace-functions" },
        };
        char option[] = "stacktrace";

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                CLEANUP(spec_freep) Spec *spec = make(true);
                CLEANUP(error_clear) Error error = ERROR_INIT;

                if (cases[i].string)
                        set_string(spec, cases[i].key, cases[i].string);
                else
                        assert_succeeds(spec_set(spec, cases[i].key,
                                                 &(SpecValue){ .has = SPEC_TYPE_BOOLEAN, .boolean = true }, &error),
                                        &error);
                assert_fails(spec_validate(spec, &error), &error, ERROR_OUT_OF_SCOPE, cases[i].message);
        }
        CLEANUP(spec_freep) Spec *spec = make(true);
        CLEANUP(error_clear) Error error = ERROR_INIT;

        set_list(spec, SPEC_OPTIONS, option);
        assert_fails(spec_validate(spec, &error), &error, ERROR_OUT_OF_SCOPE, "options: ");
}

static void test_values_that_change_nothing(void **state) {
        CLEANUP(spec_freep) Spec *spec = make(true);
        CLEANUP(error_clear) Error error = ERROR_INIT;

        set_string(spec, SPEC_MODE, "stream");
        set_string(spec, SPEC_TRACER, "nop");
        assert_succeeds(spec_set(spec, SPEC_SYMBOLS, &(SpecValue){ .has = SPEC_TYPE_BOOLEAN }, &error), &error);
        assert_succeeds(spec_validate(spec, &error), &error);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_self),
                cmocka_unit_test(test_needs_descriptors_of_processes),
                cmocka_unit_test(test_excludes),
                cmocka_unit_test(test_values_that_change_nothing),
        };

        return cmocka_run_group_tests_name("spec-scope", tests, NULL, NULL);
}
