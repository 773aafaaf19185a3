/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <tracefs.h>
#include <unistd.h>

#include "core/strv.h"
#include "kernel-test.h"
#include "kernel/features.h"
#include "kernel/tracing-dir.h"

static const Feature *find(const Feature *features, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(features[i].name, name) == 0)
                        return &features[i];
        fail_msg("There is no feature %s", name);
        return NULL;
}

static void each_absent_feature_has_a_reason(void **state) {
        Feature *features = NULL;
        size_t n = 0;

        assert_int_equal(features_probe(NULL, &features, &n), 0);
        for (size_t i = 0; i < n; i++) {
                assert_non_null(features[i].name);
                if (features[i].available)
                        assert_null(features[i].reason);
                else
                        assert_non_null(features[i].reason);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(features[k].name, features[i].name);
        }
        features_free(features, n);
}

static void what_is_required_fails_with_the_reason(void **state) {
        Feature *features = NULL;
        size_t n = 0;

        assert_int_equal(features_probe(NULL, &features, &n), 0);
        for (size_t i = 0; i < n; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r = features_require(features[i].name, "purpose", &error);

                if (features[i].available) {
                        assert_int_equal(r, 0);
                        continue;
                }
                assert_true(r < 0);
                assert_int_equal(error.code, ERROR_NOT_SUPPORTED_BY_KERNEL);
                assert_non_null(strstr(error_text(&error), "purpose: "));
                assert_non_null(strstr(error_text(&error), features[i].reason));
        }
        features_free(features, n);
        assert_int_equal(features_require("no such feature", "purpose", NULL), -EINVAL);
}

static void features_are_what_the_files_say(void **state) {
        const struct {
                const char *feature, *file;
        } files[] = {
                { "kprobes", "kprobe_events" },
                { "snapshot", "snapshot" },
                { "synthetic_events", "synthetic_events" },
                { "error_log", "error_log" },
                { "histograms", "events/sched/sched_switch/hist" },
        };
        const char *const tracers[] = {
                "function", "function_graph", "irqsoff", "wakeup", "hwlat", "osnoise", "blk"
        };
        CLEANUP(strv_freep) char **kernel_tracers = NULL;
        Feature *features = NULL;
        size_t n = 0;

        assert_int_equal(tracing_dir_list_tracers(&kernel_tracers), 0);
        assert_int_equal(features_probe(NULL, &features, &n), 0);
        assert_true(find(features, n, "instances")->available);
        assert_true(find(features, n, "events")->available);
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                assert_int_equal(find(features, n, files[i].feature)->available,
                                 tracefs_file_exists(NULL, files[i].file));
        for (size_t i = 0; i < ELEMENTSOF(tracers); i++)
                assert_int_equal(find(features, n, tracers[i])->available, strv_contains(kernel_tracers, tracers[i]));
        features_free(features, n);
}

/* In a mount namespace where instances cannot be made, as with systemd's ProtectKernelTunables=. */
static int probe_read_only(void) {
        CLEANUP_FREE char *path = tracefs_get_tracing_file("instances");
        Feature *features = NULL;
        const Feature *instances;
        size_t n = 0;
        int code;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(path, path, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
                return 2;
        if (features_probe(NULL, &features, &n) < 0)
                return 3;
        instances = find(features, n, "instances");
        code = !instances->available && strstr(instances->reason, "permission") ? 0 : 1;
        features_free(features, n);
        return code;
}

static void a_lack_of_permission_is_a_reason(void **state) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0)
                _exit(probe_read_only());
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_absent_feature_has_a_reason),
                cmocka_unit_test(a_lack_of_permission_is_a_reason),
                cmocka_unit_test(what_is_required_fails_with_the_reason),
                cmocka_unit_test(features_are_what_the_files_say),
        };

        return kernel_test_run("features", tests, ELEMENTSOF(tests));
}
