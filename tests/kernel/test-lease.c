/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is lent and given back, on a folder of plain files in the tracing directory's place. */

#include "kernel-test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tracefs.h>
#include <unistd.h>

#include "kernel/kernel-text.h"
#include "kernel/lease.h"
#include "kernel/setting.h"

typedef struct Fixture {
        char folder[32];
        char *tracing, *runtime;
        Lease *lease;
} Fixture;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static void put(const Fixture *fixture, const char *file, const char *text) {
        CLEANUP_FREE char *path = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;

        assert_true(asprintf(&path, "%s/%s", fixture->tracing, file) > 0);
        stream = fopen(path, "we");
        assert_non_null(stream);
        assert_true(fputs(text, stream) >= 0);
}

static void assert_file(const Fixture *fixture, const char *file, const char *wanted) {
        CLEANUP_FREE char *path = NULL, *text = NULL;

        assert_true(asprintf(&path, "%s/%s", fixture->tracing, file) > 0);
        assert_int_equal(kernel_text_read(path, &text), 0);
        assert_string_equal(text, wanted);
}

static bool is_state_kept(const Fixture *fixture) {
        CLEANUP_FREE char *path = NULL;

        assert_true(asprintf(&path, "%s/lease.json", fixture->runtime) > 0);
        return access(path, F_OK) == 0;
}

static int set_up(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        assert_non_null(fixture);
        (void) strcpy(fixture->folder, "/tmp/ktraced-lease-XXXXXX");
        assert_non_null(mkdtemp(fixture->folder));
        assert_true(asprintf(&fixture->tracing, "%s/tracing", fixture->folder) > 0);
        assert_true(asprintf(&fixture->runtime, "%s/runtime", fixture->folder) > 0);
        assert_int_equal(mkdir(fixture->tracing, 0700), 0);
        assert_int_equal(tracefs_set_tracing_dir(fixture->tracing), 0);
        put(fixture, "tracing_on", "1\n");
        put(fixture, "current_tracer", "nop\n");
        put(fixture, "trace_clock", "local [global] mono\n");
        put(fixture, "set_ftrace_filter", "#### all functions enabled ####\nschedule:traceoff:unlimited\n");
        assert_int_equal(lease_new(fixture->runtime, &fixture->lease), 0);
        *state = fixture;
        return 0;
}

static int tear_down(void **state) {
        Fixture *fixture = *state;

        lease_free(fixture->lease);
        (void) tracefs_set_tracing_dir(NULL);
        (void) nftw(fixture->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(fixture->tracing);
        free(fixture->runtime);
        free(fixture);
        return 0;
}

static int nobody(Error *error) {
        return 0;
}

static int somebody(Error *error) {
        return error_set(error, ERROR_BUSY, "in use");
}

static const char *const files[] = { "tracing_on", "trace_clock",    "set_ftrace_filter",
                                     "missing",    "current_tracer", NULL };

static int claim(Lease *lease, const char *holder, const char *key, Error *error, LeaseClaim **ret) {
        return lease_claim(lease,
                           &(LeaseRequest){ .holder = holder,
                                            .purpose = "The buffer",
                                            .key = key,
                                            .files = (char *const *) files,
                                            .check = nobody },
                           error, ret);
}

static void change_all(const Fixture *fixture) {
        put(fixture, "tracing_on", "0\n");
        put(fixture, "current_tracer", "function_graph\n");
        put(fixture, "trace_clock", "[local] global mono\n");
        put(fixture, "set_ftrace_filter", "vfs_read\nvfs_write [module]\n");
}

/* As plain files keep what is written, and the kernel would read: the list is empty, the clock is chosen. */
static void assert_restored(const Fixture *fixture) {
        assert_file(fixture, "tracing_on", "1");
        assert_file(fixture, "current_tracer", "nop");
        assert_file(fixture, "trace_clock", "global");
        assert_file(fixture, "set_ftrace_filter", "");
        assert_false(is_state_kept(fixture));
}

static void test_restored_at_the_end(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL;

        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        assert_true(lease_claim_is_first(first));
        assert_true(is_state_kept(fixture));
        change_all(fixture);
        assert_int_equal(lease_release(first), 0);
        assert_restored(fixture);
}

static void test_what_is_unchanged_is_not_written(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL;

        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        assert_int_equal(lease_release(first), 0);
        assert_file(fixture, "trace_clock", "local [global] mono\n");
        assert_file(fixture, "set_ftrace_filter", "#### all functions enabled ####\nschedule:traceoff:unlimited\n");
}

static void test_a_list_of_functions_comes_back(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL;

        put(fixture, "set_ftrace_filter", "vfs_read\next4_sync [ext4]\nschedule:traceoff:unlimited\n");
        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        change_all(fixture);
        assert_int_equal(lease_release(first), 0);
        assert_file(fixture, "set_ftrace_filter", "vfs_read\next4_sync\n");
}

static void test_one_holder(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL, *second = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        assert_true(claim(fixture->lease, "mail", NULL, &error, &second) < 0);
        assert_int_equal(error.code, ERROR_BUSY);
        assert_string_equal(error_text(&error), "The buffer is in use by the session \"web\"");
        assert_int_equal(lease_release(first), 0);
        assert_int_equal(claim(fixture->lease, "mail", NULL, NULL, &second), 0);
        assert_int_equal(lease_release(second), 0);
}

static void test_equal_keys_share(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL, *second = NULL, *other = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_int_equal(claim(fixture->lease, "web", "a", NULL, &first), 0);
        assert_int_equal(claim(fixture->lease, "mail", "a", NULL, &second), 0);
        assert_false(lease_claim_is_first(second));
        assert_true(claim(fixture->lease, "news", "b", &error, &other) < 0);
        assert_int_equal(error.code, ERROR_BUSY);
        change_all(fixture);
        assert_int_equal(lease_release(first), 0);
        assert_file(fixture, "current_tracer", "function_graph\n");
        /* Those who still have it are named. */
        error_clear(&error);
        assert_true(claim(fixture->lease, "news", NULL, &error, &other) < 0);
        assert_string_equal(error_text(&error), "The buffer is in use by the session \"mail\"");
        assert_int_equal(lease_release(second), 0);
        assert_restored(fixture);
}

static void test_others_are_left_alone(void **state) {
        Fixture *fixture = *state;
        const LeaseRequest request = {
                .holder = "web", .purpose = "x", .files = (char *const *) files, .check = somebody
        };
        LeaseClaim *first = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;

        assert_true(lease_claim(fixture->lease, &request, &error, &first) < 0);
        assert_int_equal(error.code, ERROR_BUSY);
        assert_false(is_state_kept(fixture));
        assert_int_equal(claim(fixture->lease, "mail", NULL, NULL, &first), 0);
        assert_int_equal(lease_release(first), 0);
}

static void test_two_daemons(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL, *second = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(lease_freep) Lease *other = NULL;
        CLEANUP_FREE char *holder = NULL;

        assert_int_equal(lease_new(fixture->runtime, &other), 0);
        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        change_all(fixture);
        assert_true(claim(other, "mail", NULL, &error, &second) < 0);
        assert_int_equal(error.code, ERROR_BUSY);
        /* One that starts does not take the other's for left behind. */
        assert_int_equal(lease_restore_stale(other, NULL, &holder), 0);
        assert_null(holder);
        assert_file(fixture, "current_tracer", "function_graph\n");
        assert_int_equal(lease_release(first), 0);
        assert_restored(fixture);
}

static void test_the_next_start_restores(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL;
        CLEANUP_FREE char *holder = NULL, *nothing = NULL;

        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        change_all(fixture);
        /* Killed: all that the kernel does is to close the files. */
        lease_claim_free(first);
        lease_free(STEAL_PTR(fixture->lease));

        assert_int_equal(lease_new(fixture->runtime, &fixture->lease), 0);
        assert_int_equal(lease_restore_stale(fixture->lease, NULL, &holder), 0);
        assert_string_equal(holder, "web");
        assert_restored(fixture);
        assert_int_equal(lease_restore_stale(fixture->lease, NULL, &nothing), 0);
        assert_null(nothing);
}

static void test_a_claim_restores_first(void **state) {
        Fixture *fixture = *state;
        LeaseClaim *first = NULL;

        assert_int_equal(claim(fixture->lease, "web", NULL, NULL, &first), 0);
        change_all(fixture);
        lease_claim_free(first);
        lease_free(STEAL_PTR(fixture->lease));
        assert_int_equal(lease_new(fixture->runtime, &fixture->lease), 0);
        assert_int_equal(claim(fixture->lease, "mail", NULL, NULL, &first), 0);
        assert_file(fixture, "current_tracer", "nop");
        assert_int_equal(lease_release(first), 0);
}

static void test_a_damaged_state_is_named(void **state) {
        Fixture *fixture = *state;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *holder = NULL;

        assert_int_equal(mkdir(fixture->runtime, 0700), 0);
        put(fixture, "../runtime/lease.json", "{\"settings\": [{\"file\": \"../../etc/x\", \"text\": \"\"}]}");
        assert_true(lease_restore_stale(fixture->lease, &error, &holder) < 0);
        assert_non_null(strstr(error_text(&error), "lease.json"));
        assert_true(is_state_kept(fixture));
}

static void test_settings(void **state) {
        Fixture *fixture = *state;
        static const struct {
                const char *file, *present, *saved, *wanted;
        } rows[] = {
                { "buffer_size_kb", "9999\n", "7 (expanded: 1408)\n", "1408" },
                { "buffer_size_kb", "9999\n", "1410\n", "1410" },
                { "set_ftrace_pid", "12\n", "no pid\n", "" },
                { "set_event_pid", "12\n", "3\n4\n", "3\n4\n" },
                { "filter", "pid > 1\n", "none\n", "0" },
                { "filter", "pid > 1\n", "common_pid == 3\n", "common_pid == 3" },
                { "enable", "1\n", "0*\n", "0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                put(fixture, rows[i].file, rows[i].present);
                assert_int_equal(setting_restore(rows[i].file, rows[i].saved), 0);
                assert_file(fixture, rows[i].file, rows[i].wanted);
        }
        put(fixture, "trace", "# what was recorded\n");
        assert_int_equal(setting_restore("trace", ""), 0);
        assert_file(fixture, "trace", "");
        assert_int_equal(setting_restore("missing", "1\n"), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_restored_at_the_end),
                TEST(test_what_is_unchanged_is_not_written),
                TEST(test_a_list_of_functions_comes_back),
                TEST(test_one_holder),
                TEST(test_equal_keys_share),
                TEST(test_others_are_left_alone),
                TEST(test_two_daemons),
                TEST(test_the_next_start_restores),
                TEST(test_a_claim_restores_first),
                TEST(test_a_damaged_state_is_named),
                TEST(test_settings),
        };

        return kernel_test_run("lease", tests, ELEMENTSOF(tests));
}
