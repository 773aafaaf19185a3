/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The profiles that are installed: all of them can be read, and they select events on the running kernel.
 * Arguments: the files.
 */

#include "test.h"

#include <stdio.h>

#include "core/event.h"
#include "core/profile.h"
#include "core/watch-spec.h"

#define AVAILABLE_EVENTS "/sys/kernel/tracing/available_events"
#define FILE_SIZE_MAX (1U << 20)

static char **paths;

static char *read_file(const char *path) {
        CLEANUP_FREE char *text = calloc(FILE_SIZE_MAX + 1, 1);
        CLEANUP_FCLOSE FILE *file = fopen(path, "re");

        if (!text || !file || fread(text, 1, FILE_SIZE_MAX, file) == 0)
                return NULL;
        return STEAL_PTR(text);
}

/* The name of a profile is that of its file. */
static Profile *parse_profile(const char *path) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *text = read_file(path), *name = NULL;
        const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
        Profile *profile = NULL;

        assert_non_null(text);
        assert_non_null(slash);
        assert_non_null(dot);
        name = strndup(slash + 1, (size_t) (dot - slash - 1));
        assert_non_null(name);
        assert_succeeds(profile_parse(name, text, path, &error, &profile), &error);
        return profile;
}

/* A profile is for all kernels: one that lacks something is no reason not to record. */
static void check_watches(const Spec *spec) {
        for (char **text = spec->watches; text && *text; text++) {
                CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };

                assert_int_equal(watch_spec_parse(*text, NULL, &watch), 0);
                assert_true(watch.optional);
                assert_non_null(watch.reason);
                assert_non_null(strstr(*text, " interval="));
                assert_non_null(strstr(*text, " daily="));
        }
}

static void test_parse(void **state) {
        size_t n = 0;

        for (char **path = paths; *path; path++, n++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(profile_freep) Profile *profile = parse_profile(*path);

                assert_succeeds(spec_validate(profile->spec, &error), &error);
                assert_true(strlen(profile->description) > 20);
                /* What a profile may not decide: `output` would be refused together with it. */
                assert_false(profile->spec->given & (1U << SPEC_SEGMENT_SIZE | 1U << SPEC_SEGMENTS));
                /* Nothing that needs more than the right to trace, but for what the flight recorder, which systemd
                 * starts, makes of two events. */
                assert_int_equal(spec_powers(profile->spec) & ~(unsigned) POWER_DEFINE_PROBES, POWER_TRACE_SYSTEM);
                assert_int_equal(!!(spec_powers(profile->spec) & POWER_DEFINE_PROBES),
                                 strcmp(profile->name, "flight-recorder") == 0);
                check_watches(profile->spec);
        }
        assert_true(n >= 8);
}

static void test_resolve(void **state) {
        CLEANUP_FREE char *text = read_file(AVAILABLE_EVENTS);
        CLEANUP(event_list_clear) EventList list = { 0 };

        if (!text) {
                print_message("# " AVAILABLE_EVENTS " cannot be read here\n");
                skip();
        }
        assert_int_equal(event_list_parse(text, &list), 0);
        for (char **path = paths; *path; path++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(profile_freep) Profile *profile = parse_profile(*path);
                CLEANUP(event_selection_clear) EventSelection selection = { 0 };

                assert_succeeds(event_selection_resolve(profile->spec, &list, &error, &selection), &error);
                assert_true(selection.n_choices > 0);
                print_message("# %s: %zu events\n", profile->name, selection.n_choices);
        }
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_resolve),
        };

        paths = argv + 1;
        return cmocka_run_group_tests_name("shipped-profiles", tests, NULL, NULL);
}
