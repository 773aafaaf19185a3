/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/task-group.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel/control-group.h"
#include "kernel/instance-private.h"
#include "kernel/process.h"

/* The kernel takes a task that has ended out of the pid filter a grace period after its number is free. */
#define LEAVE_ATTEMPTS 10
#define LEAVE_PAUSE_USEC 10000

struct TaskGroup {
        char *unit; /* NULL: none */
        char *path; /* of its control group, as it was last found; NULL: not yet */
        bool has_user;
        uid_t user;
};

void task_group_free(TaskGroup *group) {
        if (!group)
                return;
        free(group->unit);
        free(group->path);
        free(group);
}

int task_group_new(const Spec *spec, TaskGroup **ret) {
        CLEANUP(task_group_freep) TaskGroup *group = NULL;

        if (!spec_has_group(spec)) {
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

/* A group has the same directory whenever its unit runs, so that the tree is searched only once as a rule. */
static int list_unit(TaskGroup *group, Error *error, pid_t **ret, size_t *ret_n) {
        const char *root = control_group_root();
        char *path;
        int r;

        if (!root)
                return error_set(error, ERROR_NOT_SUPPORTED, "unit: this system has no control groups of systemd");
        r = group->path ? control_group_list_tasks(group->path, ret, ret_n) : -ENOENT;
        if (r == -ENOENT) {
                r = control_group_find(root, group->unit, error, &path);
                if (r < 0)
                        return r;
                free(group->path);
                group->path = path;
                r = control_group_list_tasks(path, ret, ret_n);
        }
        if (r == -ENOENT)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "unit: \"%s\" is not running", group->unit);
        if (r < 0)
                return error_set_errno(error, r, "unit: cannot list the tasks of \"%s\"", group->unit);
        return 0;
}

static int add_unit(TaskGroup *group, Error *error, TaskList *list) {
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks = 0;
        int r = list_unit(group, error, &tasks, &n_tasks);

        if (r < 0)
                return r;
        r = task_list_add(list, tasks, n_tasks);
        return r < 0 ? error_set_errno(error, r, "unit: cannot list its tasks") : 0;
}

static int add_user(TaskGroup *group, Error *error, TaskList *list) {
        CLEANUP_FREE pid_t *tasks = NULL;
        size_t n_tasks = 0;
        int r = process_list_tasks_of_user(group->user, &tasks, &n_tasks);

        if (r >= 0)
                r = task_list_add(list, tasks, n_tasks);
        return r < 0 ? error_set_errno(error, r, "user: cannot list the tasks") : 0;
}

int task_group_check(const Spec *spec, Error *error) {
        CLEANUP(task_group_freep) TaskGroup *group = NULL;
        CLEANUP(task_list_clear) TaskList of_unit = { 0 }, of_user = { 0 };
        int r = task_group_new(spec, &group);

        if (r < 0)
                return error_set_errno(error, r, "Cannot look for the processes to trace");
        if (group && group->unit) {
                r = add_unit(group, error, &of_unit);
                if (r < 0)
                        return r;
                if (of_unit.n_tasks == 0)
                        return error_set(error, ERROR_NO_SUCH_PROCESS, "unit: \"%s\" has no processes", group->unit);
        }
        if (group && group->has_user) {
                r = add_user(group, error, &of_user);
                if (r < 0)
                        return r;
                if (of_user.n_tasks == 0)
                        return error_set(error, ERROR_NO_SUCH_PROCESS, "user: %u has no processes",
                                         (unsigned) group->user);
        }
        return 0;
}

/* Of the unit and the user together; a unit that does not run now has none. */
static int list_all(TaskGroup *group, Error *error, TaskList *ret) {
        CLEANUP(task_list_clear) TaskList list = { 0 };
        CLEANUP(error_clear) Error reason = ERROR_INIT;
        int r = 0;

        if (group->unit)
                r = add_unit(group, &reason, &list);
        if (r < 0 && reason.code == ERROR_NO_SUCH_PROCESS)
                r = 0;
        if (r < 0 && error)
                error_move(error, &reason);
        if (r >= 0 && group->has_user)
                r = add_user(group, error, &list);
        if (r < 0)
                return r;
        *ret = list;
        list = (TaskList){ 0 };
        return 0;
}

/* Keeps in `list` what is in `other`, or is not, each once. */
static void task_list_keep(TaskList *list, const TaskList *other, bool contained) {
        size_t n = 0;

        for (size_t i = 0; i < list->n_tasks; i++)
                if (task_list_contains(other, list->tasks[i]) == contained &&
                    (n == 0 || list->tasks[n - 1] != list->tasks[i]))
                        list->tasks[n++] = list->tasks[i];
        list->n_tasks = n;
}

static int read_filter(Instance *instance, Error *error, TaskList *ret) {
        int r = instance_read_filter(instance, ret);

        return r < 0 ? error_set_errno(error, r, "Cannot read the pid filter of %s", instance_name(instance)) : 0;
}

/* A task that ended, or left, before the kernel knew of it leaves its number in the filter to whoever gets it next.
 */
static int exclude_strangers(TaskGroup *group, Instance *instance, TaskList *added, Error *error) {
        CLEANUP(task_list_clear) TaskList present = { 0 };
        int r = list_all(group, error, &present);

        if (r < 0)
                return r;
        task_list_keep(added, &present, false);
        for (unsigned attempt = 0; added->n_tasks > 0 && attempt < LEAVE_ATTEMPTS; attempt++) {
                CLEANUP(task_list_clear) TaskList filter = { 0 };

                (void) usleep(LEAVE_PAUSE_USEC);
                r = read_filter(instance, error, &filter);
                if (r < 0)
                        return r;
                task_list_keep(added, &filter, true);
        }
        return instance_exclude_tasks(instance, added->tasks, added->n_tasks, error);
}

/* What is there and not in the filter. A task that the kernel follows may end between two looks: so what counts is
 * there before the filter is read, and after it. */
static int list_new(TaskGroup *group, Instance *instance, Error *error, TaskList *ret) {
        CLEANUP(task_list_clear) TaskList list = { 0 }, filter = { 0 }, again = { 0 };
        int r = list_all(group, error, &list);

        if (r >= 0)
                r = read_filter(instance, error, &filter);
        if (r < 0)
                return r;
        task_list_keep(&list, &filter, false);
        if (list.n_tasks > 0) {
                r = list_all(group, error, &again);
                if (r < 0)
                        return r;
                task_list_keep(&list, &again, true);
        }
        *ret = list;
        list = (TaskList){ 0 };
        return 0;
}

int task_group_update(TaskGroup *group, Instance *instance, Error *error) {
        CLEANUP(task_list_clear) TaskList added = { 0 };

        /* The kernel follows what the tasks that it knows start, not what was started before it knew them. */
        for (unsigned attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
                CLEANUP(task_list_clear) TaskList new = { 0 };
                int r = list_new(group, instance, error, &new);

                if (r < 0)
                        return r;
                if (new.n_tasks == 0)
                        break;
                r = instance_add_tasks(instance, new.tasks, new.n_tasks, error);
                if (r >= 0)
                        r = task_list_add(&added, new.tasks, new.n_tasks);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot add to the pid filter of %s",
                                               instance_name(instance));
        }
        return added.n_tasks > 0 ? exclude_strangers(group, instance, &added, error) : 0;
}
