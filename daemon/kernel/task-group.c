/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/task-group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/parse.h"
#include "core/strv.h"
#include "kernel/kernel-text.h"

struct TaskGroup {
        char *unit; /* NULL: none */
        bool has_user;
        uid_t user;
        pid_t *tasks; /* sorted, as of the last look */
        size_t n_tasks;
};

typedef struct Tasks {
        pid_t *tasks;
        size_t n_tasks, n_allocated;
} Tasks;

static void tasks_clear(Tasks *tasks) {
        free(tasks->tasks);
}

static int tasks_add(Tasks *tasks, pid_t task) {
        if (tasks->n_tasks == tasks->n_allocated) {
                size_t n = tasks->n_allocated ? 2 * tasks->n_allocated : 64;
                pid_t *grown = reallocarray(tasks->tasks, n, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                tasks->tasks = grown;
                tasks->n_allocated = n;
        }
        tasks->tasks[tasks->n_tasks++] = task;
        return 0;
}

static int compare_tasks(const void *a, const void *b) {
        pid_t x = *(const pid_t *) a, y = *(const pid_t *) b;

        return (x > y) - (x < y);
}

void task_group_free(TaskGroup *group) {
        if (!group)
                return;
        free(group->unit);
        free(group->tasks);
        free(group);
}

/* Units */

/* Where the cgroup2 hierarchy is; in the hybrid layout it has a directory of its own. */
static const char *find_root(void) {
        static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        struct statfs fs;

        for (size_t i = 0; i < ELEMENTSOF(roots); i++)
                if (statfs(roots[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return roots[i];
        return NULL;
}

static void fts_closep(FTS **fts) {
        if (*fts)
                (void) fts_close(*fts);
}

/* -ENOENT when there is no such unit now. */
static int find_unit(const char *unit, char **ret) {
        CLEANUP(fts_closep) FTS *fts = NULL;
        CLEANUP_FREE char *found = NULL;
        const char *root = find_root();
        int level = INT_MAX;
        FTSENT *entry;

        if (!root)
                return -ENOENT;
        fts = fts_open((char *const[]){ (char *) root, NULL }, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
        if (!fts)
                return -errno;
        while ((entry = fts_read(fts))) {
                if (entry->fts_info != FTS_D || strcmp(entry->fts_name, unit) != 0 || entry->fts_level >= level)
                        continue;
                free(found);
                found = strdup(entry->fts_path);
                if (!found)
                        return -ENOMEM;
                level = entry->fts_level;
        }
        if (!found)
                return -ENOENT;
        *ret = STEAL_PTR(found);
        return 0;
}

/* The numbers in a cgroup.threads or cgroup.procs. */
static int add_numbers(const char *text, Tasks *tasks) {
        int r = 0;

        for (const char *at = text; r >= 0 && isdigit((unsigned char) *at);) {
                char *end;
                long number = strtol(at, &end, 10);

                if (number > 0 && number <= INT_MAX)
                        r = tasks_add(tasks, (pid_t) number);
                at = end + (*end == '\n');
        }
        return r;
}

/* The unit's own group and those below it. */
static int list_control_group(const char *path, Tasks *tasks) {
        CLEANUP(fts_closep) FTS *fts = NULL;
        FTSENT *entry;

        fts = fts_open((char *const[]){ (char *) path, NULL }, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
        if (!fts)
                return -errno;
        while ((entry = fts_read(fts))) {
                CLEANUP_FREE char *file = NULL, *text = NULL;
                int r;

                if (entry->fts_info != FTS_D)
                        continue;
                if (asprintf(&file, "%s/cgroup.threads", entry->fts_path) < 0) {
                        file = NULL;
                        return -ENOMEM;
                }
                /* It can have gone meanwhile. */
                if (kernel_text_read(file, &text) < 0)
                        continue;
                r = add_numbers(text, tasks);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int list_unit(const char *unit, Tasks *tasks) {
        CLEANUP_FREE char *path = NULL;
        int r = find_unit(unit, &path);

        return r < 0 ? r : list_control_group(path, tasks);
}

/* Users */

/* "Uid:\treal\teffective..." */
static bool has_real_uid(const char *status, uid_t user) {
        const char *line = strstr(status, "\nUid:");

        return line && strtoul(line + strlen("\nUid:"), NULL, 10) == user;
}

static int add_threads(int proc, const char *pid, Tasks *tasks) {
        CLEANUP(closedirp) DIR *dir = NULL;
        CLEANUP_CLOSE int fd = -1;
        struct dirent *entry;
        char path[PATH_MAX];
        int r = 0;

        (void) snprintf(path, sizeof(path), "%s/task", pid);
        fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return 0; /* it has ended */
        (void) steal_fd(&fd);
        while (r >= 0 && (entry = readdir(dir)))
                if (isdigit((unsigned char) entry->d_name[0]))
                        r = tasks_add(tasks, (pid_t) strtol(entry->d_name, NULL, 10));
        return r;
}

static int list_user(uid_t user, Tasks *tasks) {
        CLEANUP(closedirp) DIR *proc = opendir("/proc");
        struct dirent *entry;

        if (!proc)
                return -errno;
        while ((entry = readdir(proc))) {
                CLEANUP_FREE char *status = NULL;
                char path[PATH_MAX];
                int r;

                if (!isdigit((unsigned char) entry->d_name[0]))
                        continue;
                (void) snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
                if (kernel_text_read(path, &status) < 0 || !has_real_uid(status, user))
                        continue;
                r = add_threads(dirfd(proc), entry->d_name, tasks);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Both */

int task_group_check(const Spec *spec, Error *error) {
        if (spec->unit) {
                CLEANUP(tasks_clear) Tasks tasks = { 0 };
                int r = list_unit(spec->unit, &tasks);

                if (r == -ENOENT)
                        return error_set(error, ERROR_NO_SUCH_PROCESS,
                                         "unit: no control group has the name \"%s\": the unit does not run",
                                         spec->unit);
                if (r < 0)
                        return error_set_errno(error, r, "unit: cannot look at \"%s\"", spec->unit);
                if (tasks.n_tasks == 0)
                        return error_set(error, ERROR_NO_SUCH_PROCESS, "unit: \"%s\" has no processes", spec->unit);
        }
        if (spec_is_given(spec, SPEC_USER)) {
                CLEANUP(tasks_clear) Tasks tasks = { 0 };
                int r = list_user((uid_t) spec->user, &tasks);

                if (r < 0)
                        return error_set_errno(error, r, "user: cannot list the processes");
                if (tasks.n_tasks == 0)
                        return error_set(error, ERROR_NO_SUCH_PROCESS, "user: %llu has no processes",
                                         (unsigned long long) spec->user);
        }
        return 0;
}

int task_group_new(const Spec *spec, TaskGroup **ret) {
        CLEANUP(task_group_freep) TaskGroup *group = NULL;

        if (!spec->unit && !spec_is_given(spec, SPEC_USER)) {
                *ret = NULL;
                return 0;
        }
        group = calloc(1, sizeof(*group));
        if (!group)
                return -ENOMEM;
        if (spec->unit) {
                group->unit = strdup(spec->unit);
                if (!group->unit)
                        return -ENOMEM;
        }
        group->has_user = spec_is_given(spec, SPEC_USER);
        group->user = (uid_t) spec->user;
        *ret = STEAL_PTR(group);
        return 0;
}

static int list_all(const TaskGroup *group, Tasks *tasks) {
        int r = 0;

        if (group->unit)
                r = list_unit(group->unit, tasks);
        if (r >= 0 || r == -ENOENT)
                r = group->has_user ? list_user(group->user, tasks) : 0;
        if (r < 0)
                return r;
        if (tasks->n_tasks > 0)
                qsort(tasks->tasks, tasks->n_tasks, sizeof(*tasks->tasks), compare_tasks);
        return 0;
}

int task_group_take_new(TaskGroup *group, pid_t **ret, size_t *ret_n) {
        CLEANUP(tasks_clear) Tasks now = { 0 };
        CLEANUP_FREE pid_t *new = NULL;
        size_t n_new = 0;
        int r = list_all(group, &now);

        if (r < 0)
                return r;
        new = calloc(now.n_tasks + 1, sizeof(*new));
        if (!new)
                return -ENOMEM;
        for (size_t i = 0; i < now.n_tasks; i++)
                if ((i == 0 || now.tasks[i] != now.tasks[i - 1]) &&
                    (group->n_tasks == 0 ||
                     !bsearch(&now.tasks[i], group->tasks, group->n_tasks, sizeof(*group->tasks), compare_tasks)))
                        new[n_new++] = now.tasks[i];
        free(group->tasks);
        group->tasks = STEAL_PTR(now.tasks);
        group->n_tasks = now.n_tasks;
        *ret = STEAL_PTR(new);
        *ret_n = n_new;
        return 0;
}
