/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "kernel-test.h"
#include "kernel/catalog.h"
#include "kernel/function-filter.h"
#include "kernel/functions.h"
#include "kernel/tracer.h"
#include "kernel/tracing-dir.h"

/* Some kernels keep their functions even from root, and refuse to trace them. */
static bool functions_are_open(void) {
        CLEANUP_CLOSE int fd = tracefs_instance_file_open(NULL, "available_filter_functions", O_RDONLY | O_CLOEXEC);

        return fd >= 0;
}

static char *read_file(struct tracefs_instance *tracefs, const char *file) {
        char *text = tracefs_instance_file_read(tracefs, file, NULL);

        if (!text)
                text = strdup("");
        assert_non_null(text);
        text[strcspn(text, "\n")] = '\0';
        return text;
}

static void knows_the_tracers(void **state) {
        CLEANUP(strv_freep) char **tracers = NULL;

        assert_int_equal(tracer_list(NULL, &tracers), 0);
        assert_true(strv_contains(tracers, "nop"));
        assert_false(strv_contains(tracers, "mmiotrace"));
        for (size_t i = 0; tracers[i]; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(spec_freep) Spec *spec = new_spec("sched");

                spec_give_string(spec, SPEC_TRACER, tracers[i]);
                if (tracer_check(spec, &error) < 0)
                        fail_msg("%s", error_text(&error));
        }
}

static void refuses_tracers_that_are_not_there(void **state) {
        static const char *const missing[] = { "function_graph", "wakeup", "irqsoff", "hwlat" };
        CLEANUP(strv_freep) char **tracers = NULL;
        CLEANUP(error_clear) Error unknown = ERROR_INIT;
        CLEANUP(spec_freep) Spec *misspelt = new_spec("sched");

        assert_int_equal(tracing_dir_list_tracers(&tracers), 0);
        for (size_t i = 0; i < ELEMENTSOF(missing); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(spec_freep) Spec *spec = new_spec("sched");

                if (strv_contains(tracers, missing[i]))
                        continue;
                spec_give_string(spec, SPEC_TRACER, missing[i]);
                assert_true(tracer_check(spec, &error) < 0);
                assert_int_equal(error.code, ERROR_NOT_SUPPORTED_BY_KERNEL);
                assert_non_null(strstr(error_text(&error), missing[i]));
                assert_non_null(strstr(error_text(&error), "CONFIG_"));
        }
        spec_give_string(misspelt, SPEC_TRACER, "nopp");
        assert_true(tracer_check(misspelt, &unknown) < 0);
        assert_int_equal(unknown.code, ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(error_text(&unknown), "did you mean \"nop\"?"));
}

static void asks_the_instance_what_it_can_run(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *nop = new_spec("sched"), *other = new_spec("sched");
        bool fits = false;

        spec_give_string(nop, SPEC_TRACER, "nop");
        assert_int_equal(tracer_fits_instance(instance, nop, NULL, &fits), 0);
        assert_true(fits);
        /* blk is for the top level only (trace_blk.c); where the kernel has none, it fits even less. */
        spec_give_string(other, SPEC_TRACER, "blk");
        assert_int_equal(tracer_fits_instance(instance, other, NULL, &fits), 0);
        assert_false(fits);
        assert_int_equal(instance_destroy(instance), 0);
}

static void refuses_what_an_instance_cannot_run(void **state) {
        Instance *instance = new_instance();
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = new_spec("sched");

        spec_give_string(spec, SPEC_TRACER, "blk");
        assert_true(tracer_configure(instance, spec, &error) < 0);
        assert_int_equal(error.code, ERROR_NOT_SUPPORTED_BY_KERNEL);
        assert_non_null(strstr(error_text(&error), "tracer: blk"));
        assert_int_equal(instance_destroy(instance), 0);
}

/* It would be changed for all instances, and stay so. */
static void refuses_options_of_another_tracer(void **state) {
        static const char *const options[] = { "func-no-repeats", NULL };
        Instance *instance = new_instance();
        struct tracefs_instance *tracefs = tracefs_instance_alloc(NULL, instance_name(instance));
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = new_spec("sched");
        CLEANUP_FREE char *before = read_file(tracefs, "options/func-no-repeats");
        CLEANUP_FREE char *after = NULL;

        spec_give_strings(spec, SPEC_OPTIONS, options);
        assert_true(instance_configure(instance, spec, &selection, &error) < 0);
        if (*before) {
                assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
                assert_non_null(strstr(error_text(&error), "options: \"func-no-repeats\""));
        }
        after = read_file(tracefs, "options/func-no-repeats");
        assert_string_equal(after, before);
        tracefs_instance_free(tracefs);
        assert_int_equal(instance_destroy(instance), 0);
}

static void lists_functions_or_says_why_not(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(strv_freep) char **names = NULL;
        int r = functions_list("vfs_rea*", 0, &error, &names);

        if (functions_are_open()) {
                assert_int_equal(r, 0);
                assert_true(strv_contains(names, "vfs_read"));
        } else {
                assert_true(r < 0);
                assert_int_equal(error.code, ERROR_NOT_SUPPORTED_BY_KERNEL);
                assert_non_null(strstr(error_text(&error), "no permission"));
        }
}

static void sets_filters_or_says_why_not(void **state) {
        static const char *const functions[] = { "vfs_read", NULL }, *const notrace[] = { "vfs_write", NULL };
        Instance *instance = new_instance();
        struct tracefs_instance *tracefs = tracefs_instance_alloc(NULL, instance_name(instance));
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = new_spec("sched");
        CLEANUP_FREE char *filter = NULL, *left_out = NULL, *tracer = NULL;
        int r;

        spec_give_string(spec, SPEC_TRACER, "function");
        spec_give_strings(spec, SPEC_FUNCTIONS, functions);
        spec_give_strings(spec, SPEC_FUNCTIONS_NOTRACE, notrace);
        r = function_filter_configure(instance, spec, &error);
        if (r >= 0)
                r = tracer_configure(instance, spec, &error);
        filter = read_file(tracefs, "set_ftrace_filter");
        left_out = read_file(tracefs, "set_ftrace_notrace");
        tracer = read_file(tracefs, "current_tracer");
        tracefs_instance_free(tracefs);
        if (functions_are_open()) {
                if (r < 0)
                        fail_msg("%s", error_text(&error));
                assert_string_equal(filter, "vfs_read");
                assert_string_equal(left_out, "vfs_write");
                assert_string_equal(tracer, "function");
        } else {
                assert_true(r < 0);
                assert_int_equal(error.code, ERROR_KERNEL_REFUSED);
                assert_non_null(strstr(error_text(&error), "functions: the kernel refused \"vfs_read\""));
                assert_string_equal(tracer, "nop");
        }
        assert_int_equal(instance_destroy(instance), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(knows_the_tracers),
                cmocka_unit_test(refuses_tracers_that_are_not_there),
                cmocka_unit_test(asks_the_instance_what_it_can_run),
                cmocka_unit_test(refuses_what_an_instance_cannot_run),
                cmocka_unit_test(refuses_options_of_another_tracer),
                cmocka_unit_test(lists_functions_or_says_why_not),
                cmocka_unit_test(sets_filters_or_says_why_not),
        };

        return kernel_test_run("tracer", tests, ELEMENTSOF(tests));
}
