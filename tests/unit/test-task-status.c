/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/task-status.h"

/* As Linux 6.1 writes it, shortened. */
#define STATUS(name, state, uid, gid, caps, nnp)                                                                \
        "Name:\t" name "\nUmask:\t0022\nState:\t" state "\nTgid:\t100\nNgid:\t0\nPid:\t101\nPPid:\t1\n"         \
        "TracerPid:\t0\nUid:\t" uid "\nGid:\t" gid "\nFDSize:\t64\nGroups:\t1000 \nCapInh:\t0000000000000000\n" \
        "CapPrm:\t" caps "\nCapEff:\t0000000000000000\nNoNewPrivs:\t" nnp "\nSeccomp:\t0\n"
#define OURS "1000\t1000\t1000\t1000"
#define NONE "0000000000000000"

static gid_t gids[] = { 1000, 27 };
static const Identity owner = { .uid = 1000, .gids = gids, .n_gids = 2 };

static void test_parse(void **state) {
        TaskStatus status;

        assert_int_equal(task_status_parse(STATUS("cat", "S (sleeping)", "1\t2\t3\t4", "5\t6\t7\t4294967295",
                                                  "000001ffffffffff", "1"),
                                           &status),
                         0);
        assert_int_equal(status.state, 'S');
        assert_int_equal(status.tgid, 100);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(status.uids[i], i + 1);
        assert_int_equal(status.gids[0], 5);
        assert_int_equal(status.gids[3], UINT32_MAX);
        assert_true(status.capabilities == 0x1ffffffffffULL);
        assert_true(status.no_new_privs);
        assert_false(status.has_memory);
}

static void test_memory(void **state) {
        TaskStatus status;

        assert_int_equal(task_status_parse("VmPeak:\t 12 kB\nVmSize:\t    2576 kB\n" STATUS("VmSize", "S", OURS, OURS,
                                                                                            NONE, "1"),
                                           &status),
                         0);
        assert_true(status.has_memory);
        assert_int_equal(task_status_parse(STATUS("VmSize:\\t1", "S", OURS, OURS, NONE, "1"), &status), 0);
        assert_false(status.has_memory);
}

static void test_a_name_is_no_line(void **state) {
        TaskStatus status;

        /* The kernel writes a line break in a name as "\n". */
        assert_int_equal(task_status_parse(STATUS("x\\nUid:\\t0", "R (running)", OURS, OURS, NONE, "0"), &status), 0);
        assert_int_equal(status.uids[0], 1000);
        assert_false(status.no_new_privs);
}

static void test_refuse_other_forms(void **state) {
        static const char *const texts[] = {
                "",
                "Uid:\t1\t2\t3\t4\n",
                STATUS("x", "S", "1\t2\t3", OURS, NONE, "1"),
                STATUS("x", "S", "1\t2\t3\t4294967296", OURS, NONE, "1"),
                STATUS("x", "S", "1\t2\t3\t-4", OURS, NONE, "1"),
                STATUS("x", "S", OURS, OURS, "", "1"),
                STATUS("x", "S", OURS, OURS, "xyz", "1"),
                STATUS("x", "S", OURS, OURS, NONE, "2"),
                STATUS("x", "S", OURS, OURS, NONE, "1x"),
                STATUS("x", "", OURS, OURS, NONE, "1"),
        };
        TaskStatus status;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_int_equal(task_status_parse(texts[i], &status), -EBADMSG);
}

static void expect(const char *text, const char *message) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        TaskStatus status;

        assert_int_equal(task_status_parse(text, &status), 0);
        if (message)
                assert_fails(task_status_check(&status, 101, &owner, &error), &error, ERROR_OUT_OF_SCOPE, message);
        else
                assert_succeeds(task_status_check(&status, 101, &owner, &error), &error);
}

static void test_check(void **state) {
        expect(STATUS("x", "S", OURS, OURS, NONE, "1"), NULL);
        expect(STATUS("x", "S", OURS, "27\t27\t27\t27", NONE, "1"), NULL);
        /* CAP_WAKE_ALARM is what login sessions may have. */
        expect(STATUS("x", "S", OURS, OURS, "0000000800000000", "1"), NULL);

        expect(STATUS("x", "S", "0\t1000\t1000\t1000", OURS, NONE, "1"), "task 101 is not user 1000");
        expect(STATUS("x", "S", "1000\t0\t1000\t1000", OURS, NONE, "1"), "user ids");
        expect(STATUS("x", "S", "1000\t1000\t0\t1000", OURS, NONE, "1"), "user ids");
        expect(STATUS("x", "S", "1000\t1000\t1000\t0", OURS, NONE, "1"), "user ids");
        expect(STATUS("x", "S", OURS, "1000\t27\t1000\t1000", NONE, "1"), "group ids");
        expect(STATUS("x", "S", OURS, "42\t42\t42\t42", NONE, "1"), "group ids");
        expect(STATUS("x", "S", OURS, OURS, "0000000000000080", "1"), "capabilities");
        expect(STATUS("x", "S", OURS, OURS, NONE, "0"), "no_new_privs");
}

static void test_no_groups_no_process(void **state) {
        const Identity nobody = { .uid = 1000 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        TaskStatus status;

        assert_int_equal(task_status_parse(STATUS("x", "S", OURS, OURS, NONE, "1"), &status), 0);
        assert_fails(task_status_check(&status, 101, &nobody, &error), &error, ERROR_OUT_OF_SCOPE, "group ids");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_memory),
                cmocka_unit_test(test_a_name_is_no_line),
                cmocka_unit_test(test_refuse_other_forms),
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_no_groups_no_process),
        };

        return cmocka_run_group_tests_name("task-status", tests, NULL, NULL);
}
