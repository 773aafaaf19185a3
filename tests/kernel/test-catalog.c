/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <json-c/json.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <tracefs.h>
#include <unistd.h>

#include "core/json-text.h"
#include "core/strv.h"
#include "kernel-test.h"
#include "kernel/catalog.h"
#include "kernel/formats.h"
#include "kernel/tracing-dir.h"

/* Resolves what must be refused and returns the reason, which the caller frees. */
static char *refusal(const Spec *spec, ErrorCode code) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_true(catalog_resolve(spec, &error, &selection) < 0);
        if (error.code != code)
                fail_msg("code %d instead of %d: %s", error.code, code, error_text(&error));
        assert_int_equal(selection.n_choices, 0);
        return STEAL_PTR(error.message);
}

static void reads_the_events(void **state) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        bool found = false;

        assert_int_equal(catalog_read(NULL, &list), 0);
        for (size_t i = 0; i < list.n_events; i++)
                if (strcmp(list.events[i].system, "sched") == 0 && strcmp(list.events[i].name, "sched_switch") == 0)
                        found = true;
        assert_true(found);
}

static void describes_an_event(void **state) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *fields, *field;
        bool found = false;

        assert_int_equal(catalog_describe_event("sched:sched_switch", NULL, &text), 0);
        assert_int_equal(json_text_parse(text, "test", NULL, &object), 0);
        assert_string_equal(json_object_get_string(json_object_object_get(object, "system")), "sched");
        assert_string_equal(json_object_get_string(json_object_object_get(object, "name")), "sched_switch");
        assert_true(json_object_get_int(json_object_object_get(object, "id")) > 0);
        assert_non_null(
                strstr(json_object_get_string(json_object_object_get(object, "print_format")), "prev_comm=%s"));
        fields = json_object_object_get(object, "fields");
        for (size_t i = 0; i < json_object_array_length(fields); i++) {
                field = json_object_array_get_idx(fields, i);
                if (strcmp(json_object_get_string(json_object_object_get(field, "name")), "prev_comm") != 0)
                        continue;
                found = true;
                assert_string_equal(json_object_get_string(json_object_object_get(field, "type")), "char[16]");
                assert_int_equal(json_object_get_int(json_object_object_get(field, "size")), 16);
                assert_int_equal(json_object_get_int(json_object_object_get(field, "offset")), 8);
                assert_false(json_object_get_boolean(json_object_object_get(field, "signed")));
        }
        assert_true(found);
}

static void describes_a_system_call_as_two_events(void **state) {
        CLEANUP_JSON struct json_object *array = NULL;
        CLEANUP_FREE char *text = NULL;

        assert_int_equal(catalog_describe_event("openat", NULL, &text), 0);
        array = json_tokener_parse(text);
        assert_int_equal(json_object_array_length(array), 2);
}

static void describes_nothing_that_is_not_there(void **state) {
        CLEANUP(error_clear) Error none = ERROR_INIT;
        CLEANUP(error_clear) Error many = ERROR_INIT;
        char *text = NULL;

        assert_true(catalog_describe_event("sched:sched_swich", &none, &text) < 0);
        assert_int_equal(none.code, ERROR_NO_SUCH_EVENT);
        assert_non_null(strstr(error_text(&none), "sched_swich"));
        assert_true(catalog_describe_event("syscalls", &many, &text) < 0);
        assert_int_equal(many.code, ERROR_INVALID_ARGUMENT);
        assert_null(text);
}

static void resolves_whole_systems_and_filters(void **state) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = new_spec("sched");
        const char *filters[] = { "sched:sched_switch", "prev_comm == \"bash\" && next_prio < 120", NULL };
        bool found = false;

        spec_give_strings(spec, SPEC_FILTERS, filters);
        if (catalog_resolve(spec, &error, &selection) < 0)
                fail_msg("%s", error_text(&error));
        assert_true(strv_contains(selection.whole_systems, "sched"));
        for (size_t i = 0; i < selection.n_choices; i++)
                if (selection.choices[i].filter) {
                        found = true;
                        assert_string_equal(selection.choices[i].name, "sched_switch");
                        assert_string_equal(selection.choices[i].filter, filters[1]);
                }
        assert_true(found);
}

static void refuses_a_filter_on_a_field_that_is_not_there(void **state) {
        CLEANUP(spec_freep) Spec *spec = new_spec("sched:sched_switch");
        CLEANUP_FREE char *reason = NULL;
        const char *filters[] = { "sched:sched_switch", "prev_pid == 1 && nonsense == 2", NULL };

        spec_give_strings(spec, SPEC_FILTERS, filters);
        reason = refusal(spec, ERROR_BAD_FILTER);
        assert_non_null(strstr(reason, "sched:sched_switch"));
        assert_non_null(strstr(reason, "nonsense"));
        assert_non_null(strchr(reason, '^'));
}

static void refuses_what_the_machine_does_not_have(void **state) {
        const char *options[] = { "nosym-offset", "nosuch", NULL };
        const pid_t nobody = 4194304;
        const struct {
                SpecKey key;
                ErrorCode code;
                const char *offender;
        } cases[] = {
                { SPEC_CLOCK, ERROR_INVALID_ARGUMENT, "sundial" },
                { SPEC_OPTIONS, ERROR_INVALID_ARGUMENT, "nosuch" },
                { SPEC_CPUS, ERROR_INVALID_ARGUMENT, "8191" },
                { SPEC_PIDS, ERROR_NO_SUCH_PROCESS, "4194304" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                CLEANUP(spec_freep) Spec *spec = new_spec("sched:sched_switch");
                CLEANUP_FREE char *reason = NULL;

                if (cases[i].key == SPEC_CLOCK)
                        spec_give_string(spec, SPEC_CLOCK, "sundial");
                else if (cases[i].key == SPEC_OPTIONS)
                        spec_give_strings(spec, SPEC_OPTIONS, options);
                else if (cases[i].key == SPEC_CPUS)
                        spec_give_string(spec, SPEC_CPUS, "0,8191");
                else
                        spec_give_pids(spec, &nobody, 1, false);
                reason = refusal(spec, cases[i].code);
                assert_non_null(strstr(reason, cases[i].offender));
        }
}

/* In a mount namespace where the kernel seems to lack all events but two. */
static int resolve_without_syscalls(const char *pattern) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = new_spec(pattern);
        char path[] = "/tmp/ktraced-test-XXXXXX";
        CLEANUP_CLOSE int fd = mkostemp(path, O_CLOEXEC);
        CLEANUP_FREE char *target = tracefs_get_tracing_file("available_events");
        const char text[] = "raw_syscalls:sys_enter\nsched:sched_switch\n";

        if (fd < 0 || write(fd, text, strlen(text)) < 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount(path, target, NULL, MS_BIND, NULL) < 0)
                return -1;
        (void) unlink(path);
        (void) catalog_resolve(spec, &error, &selection);
        return (int) error.code;
}

static void says_when_the_kernel_has_no_events_for_system_calls(void **state) {
        const struct {
                const char *pattern;
                ErrorCode code;
        } cases[] = {
                { "syscalls", ERROR_NOT_SUPPORTED_BY_KERNEL },
                { "syscalls:openat", ERROR_NOT_SUPPORTED_BY_KERNEL },
                { "sys_enter_openat", ERROR_NOT_SUPPORTED_BY_KERNEL },
                { "nosuch:event", ERROR_NO_SUCH_EVENT },
                { "raw_syscalls", ERROR_NONE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                pid_t child = fork();
                int status;

                assert_true(child >= 0);
                if (child == 0)
                        _exit(resolve_without_syscalls(cases[i].pattern));
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), cases[i].code);
        }
}

static void lists_clocks_tracers_and_options(void **state) {
        CLEANUP(strv_freep) char **clocks = NULL, **tracers = NULL, **options = NULL;

        assert_int_equal(tracing_dir_list_clocks(&clocks), 0);
        assert_int_equal(tracing_dir_list_tracers(&tracers), 0);
        assert_int_equal(tracing_dir_list_options(&options), 0);
        assert_true(strv_contains(clocks, "local"));
        assert_true(strv_contains(clocks, "mono"));
        assert_true(strv_contains(tracers, "nop"));
        assert_true(strv_contains(options, "overwrite"));
}

static void collects_formats(void **state) {
        const char *systems[] = { "sched", "ftrace", NULL };
        CLEANUP(trace_formats_freep) TraceFormats *formats = NULL;
        CLEANUP_FREE char *comms = NULL;
        bool found = false;

        assert_int_equal(formats_collect((char *const *) systems, false, NULL, &formats), 0);
        assert_int_equal(formats->page_size, sysconf(_SC_PAGESIZE));
        assert_true(formats->n_ftrace > 0);
        assert_int_equal(formats->n_systems, 1);
        assert_string_equal(formats->systems[0].system, "sched");
        for (size_t i = 0; i < formats->systems[0].n_formats; i++) {
                assert_int_equal(strlen(formats->systems[0].formats[i].data), formats->systems[0].formats[i].size);
                if (strstr(formats->systems[0].formats[i].data, "name: sched_switch\n"))
                        found = true;
        }
        assert_true(found);
        assert_int_equal(formats->kallsyms.size, 0);
        assert_int_equal(formats_read_cmdlines(&comms), 0);
}

static void collects_symbols_when_asked(void **state) {
        CLEANUP(trace_formats_freep) TraceFormats *formats = NULL;

        assert_int_equal(formats_collect(NULL, true, NULL, &formats), 0);
        assert_true(formats->kallsyms.size > 0);
        assert_non_null(strstr(formats->kallsyms.data, " schedule\n"));
}

static void tells_about_a_system_that_is_not_there(void **state) {
        const char *systems[] = { "nosuch", NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        TraceFormats *formats = NULL;

        assert_true(formats_collect((char *const *) systems, false, &error, &formats) < 0);
        assert_null(formats);
        assert_int_not_equal(error.code, ERROR_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_the_events),
                cmocka_unit_test(describes_an_event),
                cmocka_unit_test(describes_a_system_call_as_two_events),
                cmocka_unit_test(describes_nothing_that_is_not_there),
                cmocka_unit_test(resolves_whole_systems_and_filters),
                cmocka_unit_test(refuses_a_filter_on_a_field_that_is_not_there),
                cmocka_unit_test(refuses_what_the_machine_does_not_have),
                cmocka_unit_test(says_when_the_kernel_has_no_events_for_system_calls),
                cmocka_unit_test(lists_clocks_tracers_and_options),
                cmocka_unit_test(collects_formats),
                cmocka_unit_test(collects_symbols_when_asked),
                cmocka_unit_test(tells_about_a_system_that_is_not_there),
        };

        return kernel_test_run("catalog", tests, ELEMENTSOF(tests));
}
