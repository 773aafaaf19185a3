/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/control-group.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "core/parse.h"
#include "core/suggestion.h"
#include "core/text.h"
#include "kernel/kernel-text.h"

const char *control_group_root(void) {
        /* The unified, hybrid and legacy layouts of systemd. */
        static const struct {
                const char *path;
                __typeof__(((struct statfs *) NULL)->f_type) type;
        } roots[] = {
                { "/sys/fs/cgroup", CGROUP2_SUPER_MAGIC },
                { "/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC },
                { "/sys/fs/cgroup/systemd", CGROUP_SUPER_MAGIC },
        };
        struct statfs fs;

        for (size_t i = 0; i < ELEMENTSOF(roots); i++)
                if (statfs(roots[i].path, &fs) == 0 && fs.f_type == roots[i].type)
                        return roots[i].path;
        return NULL;
}

static void fts_closep(FTS **fts) {
        if (*fts)
                (void) fts_close(*fts);
}

/* The directories below; no file is looked at. */
static int open_tree(const char *path, FTS **ret) {
        char *paths[] = { (char *) path, NULL }; /* only read */

        *ret = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
        return *ret ? 0 : -errno;
}

/* A name that could be one of the kernel's files there ("cpu.service") has '_' before it (systemd's cg_escape()). */
static bool is_of_unit(const char *name, const char *unit) {
        return strcmp(name, unit) == 0 || (name[0] == '_' && strcmp(name + 1, unit) == 0);
}

int control_group_find(const char *root, const char *unit, Error *error, char **ret) {
        CLEANUP(fts_closep) FTS *fts = NULL;
        CLEANUP_FREE char *found = NULL;
        Suggestion suggestion;
        int level = INT_MAX;
        FTSENT *entry;
        int r;

        suggestion_init(&suggestion, unit);
        r = open_tree(root, &fts);
        if (r < 0)
                return error_set_errno(error, r, "Cannot look for control groups in %s", root);
        while ((entry = fts_read(fts))) {
                if (entry->fts_info != FTS_D)
                        continue;
                if (unit_is_valid(entry->fts_name))
                        suggestion_consider(&suggestion, entry->fts_name);
                if (entry->fts_level >= level || !is_of_unit(entry->fts_name, unit))
                        continue;
                free(found);
                found = strdup(entry->fts_path);
                if (!found)
                        return error_set_errno(error, -ENOMEM, "Cannot look for control groups");
                level = entry->fts_level;
        }
        if (!found && suggestion_best(&suggestion))
                return error_set(error, ERROR_NO_SUCH_PROCESS, "unit: \"%s\" is not running; did you mean \"%s\"?",
                                 TEXT_ESCAPE(unit), TEXT_ESCAPE(suggestion_best(&suggestion)));
        if (!found)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "unit: \"%s\" is not running", TEXT_ESCAPE(unit));
        *ret = STEAL_PTR(found);
        return 0;
}

/* A line for each. */
static int add_numbers(char *text, pid_t **tasks, size_t *n_tasks) {
        size_t n = *n_tasks, n_lines = 0;
        char *rest, *line;
        pid_t *larger;

        for (const char *at = text; (at = strchr(at, '\n')); at++)
                n_lines++;
        larger = reallocarray(*tasks, n + n_lines + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        *tasks = larger;
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                uint64_t number;

                /* 0 is a task of another pid namespace, which cannot be named. */
                if (parse_unsigned(line, &number) >= 0 && number > 0 && number <= INT_MAX)
                        larger[n++] = (pid_t) number;
        }
        *n_tasks = n;
        return 0;
}

static int read_tasks(const char *group, char **ret) {
        /* As version 2 calls it, and version 1. */
        static const char *const files[] = { "cgroup.threads", "tasks" };
        int r = -ENOENT;

        for (size_t i = 0; r == -ENOENT && i < ELEMENTSOF(files); i++) {
                CLEANUP_FREE char *path = NULL;

                if (asprintf(&path, "%s/%s", group, files[i]) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                r = kernel_text_read(path, ret);
        }
        return r == -ENODEV ? -ENOENT : r;
}

int control_group_list_tasks(const char *path, pid_t **ret, size_t *ret_n) {
        CLEANUP(fts_closep) FTS *fts = NULL;
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks = 0;
        FTSENT *entry;
        int r;

        r = open_tree(path, &fts);
        if (r < 0)
                return r;
        while ((entry = fts_read(fts))) {
                CLEANUP_FREE char *text = NULL;

                if (entry->fts_info == FTS_NS && entry->fts_level == FTS_ROOTLEVEL)
                        return -entry->fts_errno;
                if (entry->fts_info != FTS_D)
                        continue;
                r = read_tasks(entry->fts_path, &text);
                if (r == -ENOENT && entry->fts_level > FTS_ROOTLEVEL)
                        continue;
                if (r >= 0)
                        r = add_numbers(text, &tasks, &n_tasks);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(tasks);
        *ret_n = n_tasks;
        return 0;
}
