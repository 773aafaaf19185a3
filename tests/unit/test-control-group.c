/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A tree of plain files that looks like a hierarchy of control groups. */

#include "test.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/control-group.h"

static char root[64];

static void add(const char *group, const char *file, const char *text) {
        char path[512];
        FILE *stream;

        (void) snprintf(path, sizeof(path), "%s/%s", root, group);
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        (void) snprintf(path, sizeof(path), "%s/%s/%s", root, group, file);
        stream = fopen(path, "we");
        assert_non_null(stream);
        assert_true(fputs(text, stream) >= 0);
        assert_int_equal(fclose(stream), 0);
}

static int make_tree(void **state) {
        (void) snprintf(root, sizeof(root), "/tmp/test-control-group.XXXXXX");
        if (!mkdtemp(root))
                return -1;
        add("", "cgroup.threads", "1\n2\n");
        add("user.slice", "cgroup.threads", "");
        add("user.slice/user-1000.slice", "cgroup.threads", "");
        add("user.slice/user-1000.slice/web.service", "cgroup.threads", "4000\n");
        add("system.slice", "cgroup.threads", "");
        add("system.slice/web.service", "cgroup.threads", "100\n101\n");
        add("system.slice/web.service/worker", "cgroup.threads", "102\n0\n4194303\n");
        add("system.slice/web.service/odd", "cgroup.threads", "x\n-3\n99999999999\n103");
        add("system.slice/_cpu.service", "cgroup.threads", "200\n");
        add("system.slice/a\\x2db@1.service", "cgroup.threads", "300\n");
        add("system.slice/old.service", "tasks", "400\n401\n");
        add("system.slice/idle.service", "cgroup.threads", "");
        return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
        return remove(path);
}

static int remove_tree(void **state) {
        return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect_found(const char *unit, const char *group) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *path = NULL;

        assert_succeeds(control_group_find(root, unit, &error, &path), &error);
        assert_int_equal(strncmp(path, root, strlen(root)), 0);
        assert_string_equal(path + strlen(root) + 1, group);
}

static void test_find(void **state) {
        expect_found("web.service", "system.slice/web.service"); /* the other is deeper */
        expect_found("user-1000.slice", "user.slice/user-1000.slice");
        expect_found("system.slice", "system.slice");
        expect_found("cpu.service", "system.slice/_cpu.service");
        expect_found("a\\x2db@1.service", "system.slice/a\\x2db@1.service");
}

static void test_not_found(void **state) {
        static const struct {
                const char *unit, *message;
        } cases[] = {
                { "wbe.service", "unit: \"wbe.service\" is not running; did you mean \"web.service\"?" },
                { "something-quite-different.scope", "unit: \"something-quite-different.scope\" is not running" },
                /* A group that a service made for itself is no unit. */
                { "worker.service", "is not running" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                char *path = (char *) "untouched";

                assert_fails(control_group_find(root, cases[i].unit, &error, &path), &error, ERROR_NO_SUCH_PROCESS,
                             cases[i].message);
                assert_string_equal(path, "untouched");
        }
}

static int list(const char *group, pid_t **ret, size_t *ret_n) {
        char path[512];

        (void) snprintf(path, sizeof(path), "%s/%s", root, group);
        return control_group_list_tasks(path, ret, ret_n);
}

static bool contains(const pid_t *tasks, size_t n, pid_t task) {
        for (size_t i = 0; i < n; i++)
                if (tasks[i] == task)
                        return true;
        return false;
}

static void test_list_with_those_below(void **state) {
        static const pid_t expected[] = { 100, 101, 102, 103, 4194303 };
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n = 0;

        assert_int_equal(list("system.slice/web.service", &tasks, &n), 0);
        assert_int_equal(n, ELEMENTSOF(expected));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++)
                assert_true(contains(tasks, n, expected[i]));
}

static void test_list_of_version_1(void **state) {
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n = 0;

        assert_int_equal(list("system.slice/old.service", &tasks, &n), 0);
        assert_int_equal(n, 2);
        assert_true(contains(tasks, n, 400) && contains(tasks, n, 401));
}

static void test_list_of_none(void **state) {
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n = 7;

        assert_int_equal(list("system.slice/idle.service", &tasks, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(list("system.slice/gone.service", &tasks, &n), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_not_found),
                cmocka_unit_test(test_list_with_those_below),
                cmocka_unit_test(test_list_of_version_1),
                cmocka_unit_test(test_list_of_none),
        };

        return cmocka_run_group_tests_name("control-group", tests, make_tree, remove_tree);
}
