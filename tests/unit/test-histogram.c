/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/histogram.h"

static void check(const char *text, const char *expected) {
        struct json_object *json = NULL;

        assert_int_equal(histogram_text_to_json(text, &json), 0);
        assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), expected);
        json_object_put(json);
}

static void test_plain(void **state) {
        check("# event histogram\n#\n"
              "# trigger info: hist:keys=fd:vals=hitcount,count:sort=hitcount:size=2048 [active]\n#\n\n"
              "{ fd:          9 } hitcount:       1000  count:       5000\n"
              "{ fd:         -1 } hitcount:          1  count:          5\n"
              "\nTotals:\n    Hits: 1001\n    Entries: 2\n    Dropped: 0\n",
              "[{\"trigger\":\"hist:keys=fd:vals=hitcount,count:sort=hitcount:size=2048 [active]\",\"keys\":[\"fd\"],"
              "\"rows\":[{\"key\":{\"fd\":9},\"values\":{\"hitcount\":1000,\"count\":5000}},"
              "{\"key\":{\"fd\":-1},\"values\":{\"hitcount\":1,\"count\":5}}],"
              "\"hits\":1001,\"entries\":2,\"dropped\":0}]");
}

static void test_several_keys(void **state) {
        check("# trigger info: hist:keys=common_pid.execname,id.syscall:vals=hitcount:sort=hitcount:size=2048 "
              "[active]\n\n"
              "{ common_pid: bash, or so     [      3045], id: sys_read                      [  0] } hitcount:  5\n\n"
              "Totals:\n    Hits: 5\n    Entries: 1\n    Dropped: 0\n",
              "[{\"trigger\":\"hist:keys=common_pid.execname,id.syscall:vals=hitcount:sort=hitcount:size=2048 "
              "[active]\",\"keys\":[\"common_pid\",\"id\"],\"rows\":[{\"key\":{\"common_pid\":\"bash, or so     [    "
              "  "
              "3045]\",\"id\":\"sys_read                      [  0]\"},\"values\":{\"hitcount\":5}}],\"hits\":5,"
              "\"entries\":1,\"dropped\":0}]");
}

static void test_stacks(void **state) {
        check("# trigger info: hist:keys=common_stacktrace:vals=hitcount:sort=hitcount:size=2048 [active]\n\n"
              "{ common_stacktrace:\n         schedule+0x1\n         do_exit+0x2\n} hitcount:          3\n",
              "[{\"trigger\":\"hist:keys=common_stacktrace:vals=hitcount:sort=hitcount:size=2048 "
              "[active]\",\"keys\":["
              "\"common_stacktrace\"],\"rows\":[{\"key\":{\"common_stacktrace\":[\"schedule+0x1\",\"do_exit+0x2\"]},"
              "\"values\":{\"hitcount\":3}}]}]");
}

static void test_two(void **state) {
        check("# trigger info: hist:keys=a:vals=hitcount [active]\n{ a: ~ 2^5  } hitcount:  1\n\n\n"
              "# trigger info: hist:keys=b:vals=hitcount [paused]\n{ b: 1 } hitcount:  2\n",
              "[{\"trigger\":\"hist:keys=a:vals=hitcount [active]\",\"keys\":[\"a\"],\"rows\":[{\"key\":{\"a\":\"~ "
              "2^5\"},"
              "\"values\":{\"hitcount\":1}}]},{\"trigger\":\"hist:keys=b:vals=hitcount [paused]\",\"keys\":[\"b\"],"
              "\"rows\":[{\"key\":{\"b\":1},\"values\":{\"hitcount\":2}}]}]");
}

/* As track_data_print() writes it: numbers to the right, texts to the left. */
static void test_tracked(void **state) {
        check("# trigger info: "
              "hist:keys=next_pid:vals=hitcount:lat=common_timestamp.usecs-$ts0:sort=hitcount:size=2048:"
              "onmax($lat).save(next_comm,prev_pid,prev_comm):onchange($lat).trace(x,$lat) [active]\n\n"
              "{ next_pid:       2255 } hitcount:        239\n"
              "\tmax:         27  next_comm: a  prev_pid: 5                     prev_pid:          0  "
              "prev_comm: swapper/1                       \n"
              "\tchanged:         12  next_comm: b                                 prev_pid:          7  "
              "prev_comm: 12                              \n"
              "\nTotals:\n    Hits: 239\n",
              "[{\"trigger\":\"hist:keys=next_pid:vals=hitcount:lat=common_timestamp.usecs-$ts0:sort=hitcount:size="
              "2048:"
              "onmax($lat).save(next_comm,prev_pid,prev_comm):onchange($lat).trace(x,$lat) [active]\","
              "\"keys\":[\"next_pid\"],"
              "\"rows\":[{\"key\":{\"next_pid\":2255},\"values\":{\"hitcount\":239},\"tracked\":["
              "{\"max\":27,\"saved\":{\"next_comm\":\"a  prev_pid: "
              "5\",\"prev_pid\":0,\"prev_comm\":\"swapper\\/1\"}},"
              "{\"changed\":12,\"saved\":{\"next_comm\":\"b\",\"prev_pid\":7,\"prev_comm\":12}}]}],\"hits\":239}]");
}

static void test_odd_tracked(void **state) {
        check("# trigger info: hist:keys=a:onmax($x).save(b)\n\tmax: 5\n{ a: 1 } hitcount: 1\n\tmax\n\tmax: 7\n"
              "\tmin: 7\n\tmax: 8  b:\n",
              "[{\"trigger\":\"hist:keys=a:onmax($x).save(b)\",\"keys\":[\"a\"],\"rows\":[{\"key\":{\"a\":1},"
              "\"values\":{\"hitcount\":1},\"tracked\":[{\"max\":7,\"saved\":{}},{\"max\":8,\"saved\":{\"b\":\"\"}}]"
              "}]}]");
}

static void test_none(void **state) {
        struct json_object *json = NULL;

        assert_int_equal(histogram_text_to_json("", &json), -EINVAL);
        assert_int_equal(histogram_text_to_json("{ a: 1 } hitcount: 2\n", &json), -EINVAL);
        assert_int_equal(histogram_text_to_json("# trigger info: hist:keys=a\n{ a: 1\n", &json), -EINVAL);
        assert_int_equal(histogram_text_to_json("# trigger info: hist\n", &json), -EINVAL);
        assert_null(json);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain), cmocka_unit_test(test_several_keys), cmocka_unit_test(test_stacks),
                cmocka_unit_test(test_two),   cmocka_unit_test(test_tracked),      cmocka_unit_test(test_odd_tracked),
                cmocka_unit_test(test_none),
        };

        return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
