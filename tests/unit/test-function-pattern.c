/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>

#include "core/function-pattern.h"
#include "core/spec.h"
#include "core/strv.h"

/* Not in order; a name that three functions have, one of them in a module; an address without a function; and what
 * a later kernel may put behind a name. */
static const char kernel_functions[] = "vfs_write\n"
                                       "vfs_read\n"
                                       "__ftrace_invalid_address___64\n"
                                       "init_once\n"
                                       "init_once\n"
                                       "init_once [ext4]\n"
                                       "ext4_read [ext4]\n"
                                       "ext4_mark_inode_dirty [ext4]\n"
                                       "btrfs_read [btrfs]\n"
                                       "schedule (1) R\n"
                                       "\n"
                                       "kfree";

static int setup(void **state) {
        FunctionList *list = calloc(1, sizeof(*list));

        if (!list || function_list_parse(strdup(kernel_functions), list) < 0)
                return -1;
        *state = list;
        return 0;
}

static int teardown(void **state) {
        function_list_clear(*state);
        free(*state);
        return 0;
}

static void test_list(void **state) {
        const FunctionList *list = *state;

        assert_int_equal(list->n_functions, 10);
        assert_string_equal(list->functions[0].name, "btrfs_read");
        assert_string_equal(list->functions[0].module, "btrfs");
        /* Lines that are passed over count. */
        assert_int_equal(list->functions[0].position, 9);
        assert_int_equal(function_list_find(list, "vfs_write")->position, 1);
        assert_int_equal(function_list_find(list, "kfree")->position, 12);
        assert_string_equal(function_list_find(list, "schedule")->name, "schedule");
        assert_null(function_list_find(list, "schedule")->module);
        /* Of several, the kernel's own comes first. */
        assert_null(function_list_find(list, "init_once")->module);
        assert_null(function_list_find(list, "vfs"));
        assert_null(function_list_find(list, "zzz"));
        assert_null(function_list_find(list, ""));
        assert_null(function_list_find(list, "__ftrace_invalid_address___64"));
}

static void test_empty_list(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(function_list_clear) FunctionList list = { 0 };
        char *patterns[] = { (char *) "*", NULL };

        assert_int_equal(function_list_parse(strdup(""), &list), 0);
        assert_int_equal(list.n_functions, 0);
        assert_null(function_list_find(&list, "x"));
        assert_fails(function_patterns_resolve("functions", patterns, &list, &error), &error, ERROR_NO_SUCH_FUNCTION,
                     "functions: No function matches \"*\"");
}

static void test_parse(void **state) {
        static const struct {
                const char *text, *name, *module;
                bool is_glob;
        } good[] = {
                { "vfs_read", "vfs_read", NULL, false },
                { "vfs_*", "vfs_*", NULL, true },
                { "?fs_read", "?fs_read", NULL, true },
                { "[a-z_]*", "[a-z_]*", NULL, true },
                { "x[!0-9]", "x[!0-9]", NULL, true },
                { "foo.constprop.0", "foo.constprop.0", NULL, false },
                { "*:mod:ext4", "*", "ext4", true },
                { ":mod:ext4", "*", "ext4", true },
                { "init_once:mod:ext*", "init_once", "ext*", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };

                assert_succeeds(function_pattern_parse(good[i].text, &error, &pattern), &error);
                assert_string_equal(pattern.name, good[i].name);
                assert_int_equal(pattern.is_glob, good[i].is_glob);
                if (good[i].module)
                        assert_string_equal(pattern.module, good[i].module);
                else
                        assert_null(pattern.module);
        }
}

static void test_bad(void **state) {
        static const struct {
                const char *text, *message;
                int position; /* -1: none is marked */
        } bad[] = {
                { "", "is empty", -1 },
                { "!vfs_read", "functions_notrace", 0 },
                { "12", "cannot begin with a digit", 0 },
                { "vfs_read vfs_write", "cannot stand in the name", 8 },
                { "vfs_read\n", "cannot stand in the name", 8 },
                { "vfs\\*", "cannot stand in the name", 3 },
                { "vfs-read", "cannot stand in the name", 3 },
                { "vfs_\xc3\xa4", "cannot stand in the name", 4 },
                { "#x", "cannot stand in the name", 0 },
                { "vfs_[a-z", "is not complete", 4 },
                { "vfs_[]", "is not complete", 4 },
                { "vfs_[!]x", "is not complete", 4 },
                { "vfs_read:traceoff", "Only \":mod:\"", 8 },
                { "vfs_read:traceoff:3", "Only \":mod:\"", 8 },
                { "vfs_read:mod", "Only \":mod:\"", 8 },
                { ":", "Only \":mod:\"", 0 },
                { "vfs_read:mod:", "module's name is missing", 13 },
                { "*:mod:ext4:x", "cannot stand in the name", 10 },
                { "*:mod:!ext4", "cannot stand in the name", 6 },
                { "*:mod:4", "cannot begin with a digit", 6 },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                CLEANUP(function_pattern_clear) FunctionPattern pattern = { 0 };
                char marked[64];

                assert_true(function_pattern_parse(bad[i].text, &error, &pattern) < 0);
                assert_int_equal(error.code, ERROR_INVALID_ARGUMENT);
                assert_contains(error_text(&error), bad[i].message);
                (void) snprintf(marked, sizeof(marked), "\n  %*s^", bad[i].position, "");
                if (bad[i].position >= 0)
                        assert_string_equal(strrchr(error_text(&error), '\n'), marked);
                assert_null(pattern.name);
        }
}

static void test_too_long(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[SPEC_PATTERN_LENGTH + 2];

        memset(text, 'a', sizeof(text));
        text[SPEC_PATTERN_LENGTH + 1] = '\0';
        assert_fails(function_pattern_check(text, &error), &error, ERROR_INVALID_ARGUMENT, "257 bytes long");
        text[SPEC_PATTERN_LENGTH] = '\0';
        assert_succeeds(function_pattern_check(text, &error), &error);
}

static void test_mark_far_behind(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char text[SPEC_PATTERN_LENGTH + 1], marked[SPEC_PATTERN_LENGTH + 8];

        memset(text, 'a', sizeof(text));
        text[SPEC_PATTERN_LENGTH] = '\0';
        text[SPEC_PATTERN_LENGTH - 6] = '%';
        (void) snprintf(marked, sizeof(marked), "\n  %*s^", (int) SPEC_PATTERN_LENGTH - 6, "");
        assert_fails(function_pattern_check(text, &error), &error, ERROR_INVALID_ARGUMENT, "a%aaaaa\n");
        assert_true(function_pattern_check(text, &error) < 0);
        assert_string_equal(strrchr(error_text(&error), '\n'), marked);
}

static void check_matches(const FunctionList *list, const char *pattern, size_t max, const char *wanted) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(strv_freep) char **names = NULL;
        CLEANUP_FREE char *joined = NULL;

        assert_succeeds(function_pattern_list(pattern, list, max, &error, &names), &error);
        assert_int_equal(strv_join(names, ",", &joined), 0);
        assert_string_equal(joined, wanted);
}

static void test_matches(void **state) {
        check_matches(*state, "vfs_*", 0, "vfs_read,vfs_write");
        check_matches(*state, "vfs_*", 1, "vfs_read");
        check_matches(*state, "*_read", 0, "btrfs_read [btrfs],ext4_read [ext4],vfs_read");
        check_matches(*state, "*read*:mod:*", 0, "btrfs_read [btrfs],ext4_read [ext4]");
        check_matches(*state, ":mod:ext4", 0, "ext4_mark_inode_dirty [ext4],ext4_read [ext4],init_once [ext4]");
        check_matches(*state, "init_once", 0, "init_once,init_once [ext4]");
        check_matches(*state, "[!a-u]*", 0, "vfs_read,vfs_write");
        check_matches(*state, "kfre?", 0, "kfree");
        check_matches(*state, "nothing*", 0, "");
        check_matches(*state, "kfree:mod:ext4", 0, "");
}

static void test_resolve(void **state) {
        static const struct {
                const char *pattern, *message; /* NULL: it matches */
        } cases[] = {
                { "vfs_read", NULL },
                { "vfs_*", NULL },
                { "init_once:mod:ext4", NULL },
                { ":mod:btr*", NULL },
                { "vfs_raed", "functions: No function that can be traced is called \"vfs_raed\"; did you mean "
                              "\"vfs_read\"?" },
                { "completely_else", "functions: No function that can be traced is called \"completely_else\"" },
                { "else_*", "functions: No function matches \"else_*\"" },
                { "vfs_read:mod:ext4", "functions: No function of module ext4 matches \"vfs_read:mod:ext4\"" },
                { ":mod:ext5", "functions: No loaded module \"ext5\" has functions that can be traced; did you mean "
                               "\"ext4\"?" },
                { ":mod:nosuchmodule", "No loaded module \"nosuchmodule\" has functions that can be traced" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                char *patterns[] = { (char *) "kfree", (char *) cases[i].pattern, NULL };

                if (cases[i].message)
                        assert_fails(function_patterns_resolve("functions", patterns, *state, &error), &error,
                                     ERROR_NO_SUCH_FUNCTION, cases[i].message);
                else
                        assert_succeeds(function_patterns_resolve("functions", patterns, *state, &error), &error);
        }
}

static void test_match_many(void **state) {
        char *patterns[] = { (char *) "init_once:mod:ext4", (char *) "vfs_*", (char *) "vfs_read", (char *) "nothing",
                             NULL };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const FunctionList *list = *state;
        bool matched[16] = { false };

        assert_succeeds(function_patterns_match(patterns, list, &error, matched), &error);
        for (size_t i = 0; i < list->n_functions; i++)
                assert_int_equal(matched[i], strncmp(list->functions[i].name, "vfs_", 4) == 0 ||
                                                     (strcmp(list->functions[i].name, "init_once") == 0 &&
                                                      list->functions[i].module));
}

static void test_count_globs(void **state) {
        char *patterns[] = { (char *) "vfs_read",   (char *) "vfs_*",     (char *) "x?", (char *) "[ab]c",
                             (char *) "x:mod:ext*", (char *) ":mod:ext4", NULL };

        assert_int_equal(function_patterns_count_globs(patterns), 4);
        assert_int_equal(function_patterns_count_globs(NULL), 0);
}

#define pattern_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                pattern_test(test_list),         cmocka_unit_test(test_empty_list),
                cmocka_unit_test(test_parse),    cmocka_unit_test(test_bad),
                cmocka_unit_test(test_too_long), cmocka_unit_test(test_mark_far_behind),
                pattern_test(test_matches),      pattern_test(test_resolve),
                pattern_test(test_match_many),   cmocka_unit_test(test_count_globs),
        };

        return cmocka_run_group_tests_name("function-pattern", tests, NULL, NULL);
}
