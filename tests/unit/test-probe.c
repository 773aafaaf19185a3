/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/probe.h"

static void check_command(const char *definition, const char *command) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(probe_clear) Probe probe = { 0 };
        CLEANUP_FREE char *text = NULL;

        assert_succeeds(probe_parse(definition, &error, &probe), &error);
        assert_int_equal(probe_format(&probe, "group", "/file", &text), 0);
        assert_string_equal(text, command);
}

static void test_commands(void **state) {
        check_command("kprobe:do_sys_openat2 dfd=%di fname=+0(%si):ustring",
                      "p:group/do_sys_openat2 do_sys_openat2 dfd=%di fname=+0(%si):ustring");
        check_command("mine=kprobe:vfs_read+0x10", "p:group/mine vfs_read+0x10");
        check_command("kprobe:ext4:ext4_sync_file+4", "p:group/ext4_sync_file ext4:ext4_sync_file+4");
        check_command("kprobe:foo.isra.0", "p:group/foo_isra_0 foo.isra.0");
        check_command("kretprobe:vfs_read ret=$retval:s64", "r:group/vfs_read vfs_read ret=$retval:s64");
        check_command("uprobe:@3:0x1159 %ax   %di", "p:group/at_0x1159 /file:0x1159 %ax %di");
        check_command("work=uretprobe:@0:4441 $retval", "r:group/work /file:0x1159 $retval");
        check_command("eprobe:sched:sched_switch next=$next_pid:u32",
                      "e:group/sched_switch sched.sched_switch next=$next_pid:u32");
}

static void test_arguments(void **state) {
        static const char *const good[] = {
                "$stack",
                "$stack3",
                "$comm:string",
                "$arg1",
                "@jiffies",
                "@jiffies+8:u64",
                "@0xffffffff81000000",
                "a=+8(+u16(-0(%sp))):x64",
                "\\5",
                "\\-5",
                "\\\"text\"",
                "f=%ax:b3@4/32",
                "l=+0(%si):u8[16]",
                "%ip:symbol",
                "$arg*",
                "count",
                "flags=file->f_path.mnt",
                "name=file:%pD",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP_FREE char *definition = NULL;

                assert_true(asprintf(&definition, "kprobe:f %s", good[i]) > 0);
                assert_succeeds(probe_check(definition, &error), &error);
        }
        assert_int_equal(probe_check("uprobe:@0:1 @+16:u32", NULL), 0);
        assert_int_equal(probe_check("kretprobe:f $retval->f_inode.i_ino:u64", NULL), 0);
}

static void test_what_needs_types(void **state) {
        static const struct {
                const char *definition;
                bool by_name;
        } probes[] = {
                { "kprobe:f", false },
                { "kprobe:f a=%di b=+0(%si):ustring $arg1 @f.x", false },
                { "kretprobe:f $retval", false },
                { "eprobe:a:b $count", false },
                { "kprobe:f %di count", true },
                { "kprobe:f +0(name):string", true },
                { "kprobe:f $arg*", true },
                { "kretprobe:f $retval->i_ino", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(probes); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(probe_clear) Probe probe = { 0 };

                assert_succeeds(probe_parse(probes[i].definition, &error, &probe), &error);
                assert_int_equal(probe.by_name, probes[i].by_name);
        }
}

static void test_refusals(void **state) {
        static const struct {
                const char *definition, *message, *marked;
        } bad[] = {
                { "", "A probe begins with", "" },
                { "vfs_read", "A probe begins with", "vfs_read" },
                { "kprobe:", "The name of a function of the kernel is missing", "" },
                { "kprobe:vfs_read+x", "An offset is missing", "x" },
                { "kretprobe:vfs_read+4", "A return probe has no offset", "+4" },
                { "kprobe:vfs_read/x", "A space and arguments", "/x" },
                { "uprobe:/bin/bash:readline", "A file is named by its number", "/bin" },
                { "uprobe:@x:1", "The number of a file", "x:1" },
                { "uprobe:@0:", "The offset in the file is missing", "" },
                { "eprobe:sched", "An event is named as SYSTEM:EVENT", "" },
                { "kprobe:f %xx", "There is no such register", "%xx" },
                { "kprobe:f $retval", "$retval is for return probes only", "$retval" },
                { "kprobe:f $nothing", "There are $retval", "$nothing" },
                { "kprobe:f a=5", "What to fetch begins with", "5" },
                { "kprobe:f +8", "'(' and what to look at is missing", "" },
                { "kprobe:f +8(%di", "')' is missing", "" },
                { "kprobe:f %di:u7", "There is no such type", "u7" },
                { "kprobe:f %di:u8[0]", "An array has 1 to 64 entries", "]" },
                { "kprobe:f %di:b9@0/8", "There is no such type", "b9" },
                { "kprobe:f @+8", "@+OFFSET is for uprobes only", "+8" },
                { "uprobe:@0:1 @symbol", "An address, or + and an offset", "symbol" },
                { "eprobe:a:b %di", "A probe on an event has fields", "%di" },
                { "kprobe:f \\\"open", "A text ends with", "\"open" },
                { "kprobe:f \\\"a#b\"", "no '#'", "\"a#b" },
                { "kprobe:f file->", "The name of a field is missing", "" },
                { "uprobe:@0:1 count", "What to fetch begins with", "count" },
                { "uprobe:@0:1 $arg*", "There are $retval", "$arg*" },
                { "a-b=kprobe:f", "The name of a probe", "a-b" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                const char *line, *mark;

                assert_true(probe_check(bad[i].definition, &error) < 0);
                assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
                assert_contains(error_text(&error), bad[i].message);
                line = strchr(error_text(&error), '\n') + 1;
                mark = strchr(line, '\n') + 1;
                line += strlen(mark) - 1;
                assert_memory_equal(line, bad[i].marked, strlen(bad[i].marked));
        }
}

static void append(char *to, size_t size, const char *text, unsigned times) {
        size_t n = strlen(to);

        for (; times > 0; times--)
                n += (size_t) snprintf(to + n, size - n, "%s", text);
}

static void test_nesting_and_number(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char nested[2048] = "kprobe:f ", many[2048] = "kprobe:f";

        append(nested, sizeof(nested), "+0(", 15);
        assert_fails(probe_check(nested, &error), &error, ERROR_INVALID_ARGUMENT, "Nested too deeply");
        append(many, sizeof(many), " %di", PROBE_ARGUMENTS_MAX);
        assert_succeeds(probe_check(many, &error), &error);
        append(many, sizeof(many), " %di", 1);
        assert_fails(probe_check(many, &error), &error, ERROR_INVALID_ARGUMENT, "Too many arguments");
}

static void test_lists(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char *probes[] = { (char *) "a=kprobe:f", (char *) "uprobe:@1:0x10", NULL };
        char *twice[] = { (char *) "kprobe:f", (char *) "kretprobe:f", NULL };

        assert_true(probes_have(probes, "a"));
        assert_true(probes_have(probes, "at_0x10"));
        assert_false(probes_have(probes, "f"));
        assert_false(probes_have(NULL, "f"));
        assert_succeeds(probes_check(probes, 2, &error), &error);
        assert_fails(probes_check(probes, 1, &error), &error, ERROR_INVALID_ARGUMENT, "is for file @1");
        error_clear(&error);
        assert_fails(probes_check(twice, 0, &error), &error, ERROR_INVALID_ARGUMENT, "Two probes are called \"f\"");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commands),           cmocka_unit_test(test_arguments),
                cmocka_unit_test(test_what_needs_types),   cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_nesting_and_number), cmocka_unit_test(test_lists),
        };

        return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
