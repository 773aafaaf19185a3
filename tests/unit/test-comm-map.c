/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "core/comm-map.h"

static void assert_map(const CommMap *map, const char *wanted) {
        CLEANUP_FREE char *text = NULL;

        assert_int_equal(comm_map_format(map, &text), 0);
        assert_string_equal(text, wanted);
}

static int add(CommMap *map, unsigned pid, const char *comm) {
        char line[32];

        (void) snprintf(line, sizeof(line), "%u %s\n", pid, comm);
        return comm_map_add_text(map, line);
}

static void test_later_names_replace(void **state) {
        CLEANUP(comm_map_freep) CommMap *map = NULL;

        assert_int_equal(comm_map_new(&map), 0);
        assert_map(map, "");
        assert_int_equal(add(map, 100, "bash"), 0);
        assert_int_equal(add(map, 7, "kworker/0:1"), 0);
        assert_int_equal(add(map, 100, "make"), 0);
        assert_int_equal(add(map, 0, "<idle>"), 0);
        assert_int_equal(comm_map_size(map), 3);
        assert_map(map, "0 <idle>\n7 kworker/0:1\n100 make\n");
}

static void test_add_text(void **state) {
        CLEANUP(comm_map_freep) CommMap *map = NULL;

        assert_int_equal(comm_map_new(&map), 0);
        assert_int_equal(comm_map_add_text(map,
                                           "12 sh\n\nno pid\n13\n14 \n-5 x\n99999999999999999999 y\n2147483648 z\n"
                                           "15 two words\n16 last"),
                         0);
        assert_map(map, "12 sh\n15 two words\n16 last\n");
}

static void test_update_tells_what_changed(void **state) {
        CLEANUP(comm_map_freep) CommMap *map = NULL;
        CLEANUP_FREE char *all = NULL, *none = NULL, *some = NULL;

        assert_int_equal(comm_map_new(&map), 0);
        assert_int_equal(comm_map_update(map, "1 systemd\nno pid\n20 two words\n30 last", &all), 0);
        assert_string_equal(all, "1 systemd\n20 two words\n30 last\n");
        assert_int_equal(comm_map_update(map, "30 last\n1 systemd\n", &none), 0);
        assert_string_equal(none, "");
        assert_int_equal(comm_map_update(map, "1 systemd\n20 three words\n31 new\n", &some), 0);
        assert_string_equal(some, "20 three words\n31 new\n");
        assert_map(map, "1 systemd\n20 three words\n30 last\n31 new\n");
}

static void test_round_trip(void **state) {
        CLEANUP(comm_map_freep) CommMap *map = NULL, *again = NULL;
        CLEANUP_FREE char *text = NULL;

        assert_int_equal(comm_map_new(&map), 0);
        assert_int_equal(comm_map_new(&again), 0);
        for (int pid = 1; pid < 5000; pid++) {
                char comm[16];

                (void) snprintf(comm, sizeof(comm), "task %d", pid);
                assert_int_equal(add(map, (unsigned) pid, comm), 0);
        }
        assert_int_equal(comm_map_format(map, &text), 0);
        assert_int_equal(comm_map_add_text(again, text), 0);
        assert_int_equal(comm_map_size(again), 4999);
        assert_map(again, text);
}

static void test_limit(void **state) {
        CLEANUP(comm_map_freep) CommMap *map = NULL;

        assert_int_equal(comm_map_new(&map), 0);
        for (unsigned pid = 0; pid < COMM_MAP_MAX; pid++)
                assert_int_equal(add(map, pid, "x"), 0);
        assert_int_equal(add(map, COMM_MAP_MAX, "x"), -ENOSPC);
        assert_int_equal(add(map, 5, "replaced"), 0);
        assert_int_equal(comm_map_size(map), COMM_MAP_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_later_names_replace),
                cmocka_unit_test(test_add_text),
                cmocka_unit_test(test_update_tells_what_changed),
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_limit),
        };

        return cmocka_run_group_tests_name("comm-map", tests, NULL, NULL);
}
