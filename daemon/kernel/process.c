/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"
#include "core/task-status.h"
#include "kernel/kernel-text.h"

/* What only a pidfd has in its fdinfo (proc(5)). */
#define PIDFD_LINE "\nPid:"
/* Of paths below /proc with two numbers. */
#define PROC_PATH_SIZE 64

typedef struct PidSet {
        pid_t *pids;
        size_t n_pids, n_allocated;
} PidSet;

static void pid_set_clear(PidSet *set) {
        free(set->pids);
        *set = (PidSet){ 0 };
}

static int pid_set_add(PidSet *set, pid_t pid) {
        if (set->n_pids == set->n_allocated) {
                size_t n = set->n_allocated ? set->n_allocated * 2 : 32;
                pid_t *larger = reallocarray(set->pids, n, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                set->pids = larger;
                set->n_allocated = n;
        }
        set->pids[set->n_pids++] = pid;
        return 0;
}

static bool pid_set_contains(const PidSet *set, pid_t pid) {
        for (size_t i = 0; i < set->n_pids; i++)
                if (set->pids[i] == pid)
                        return true;
        return false;
}

/* False also for what is no process, such as "self". */
static bool parse_pid(const char *text, pid_t *ret) {
        uint64_t value;

        if (parse_unsigned(text, &value) < 0 || value == 0 || value > INT_MAX)
                return false;
        *ret = (pid_t) value;
        return true;
}

/* The number at the start of `text`, behind white space; it fits into a pid_t. */
static bool parse_number(const char *text, long *ret) {
        char *end;
        long value = strtol(text, &end, 10);

        if (end == text || value < INT_MIN || value > INT_MAX)
                return false;
        *ret = value;
        return true;
}

int process_from_pidfd(int pidfd, Error *error, pid_t *ret) {
        char path[PROC_PATH_SIZE];
        CLEANUP_FREE char *text = NULL;
        const char *line;
        long pid;
        int r;

        if (pidfd < 0)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "Not a descriptor: %d", pidfd);
        (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        r = kernel_text_read(path, &text);
        if (r == -ENOENT)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "Descriptor %d is not open", pidfd);
        if (r < 0)
                return error_set_errno(error, r, "Cannot look at descriptor %d", pidfd);

        line = strstr(text, PIDFD_LINE);
        if (!line || !parse_number(line + strlen(PIDFD_LINE), &pid))
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The descriptor is not that of a process (pidfd)");
        /* -1: it was reaped; 0: it lives where our pid namespace cannot see it. */
        if (pid <= 0)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "%s",
                                 pid < 0 ? "The process of the descriptor has gone"
                                         : "The process of the descriptor is in another pid namespace");
        *ret = (pid_t) pid;
        return 0;
}

/* Adds the tasks of one process; -ENOENT when it is gone. */
static int add_tasks(pid_t pid, PidSet *tasks) {
        char path[PROC_PATH_SIZE];
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        struct dirent *entry;
        size_t before = tasks->n_pids;
        pid_t tid;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/task", pid);
        dir = opendir(path);
        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                if (!parse_pid(entry->d_name, &tid))
                        continue;
                r = pid_set_add(tasks, tid);
                if (r < 0)
                        return r;
        }
        return tasks->n_pids > before ? 0 : -ENOENT;
}

/* Adds the processes that one task has forked (proc(5), /proc/pid/task/tid/children). */
static int add_children_of_task(pid_t pid, pid_t tid, PidSet *processes) {
        char path[PROC_PATH_SIZE];
        CLEANUP_FREE char *text = NULL;
        char *rest, *word;
        pid_t child;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tid);
        r = kernel_text_read(path, &text);
        if (r == -ENOENT || r == -ESRCH)
                return 0;
        if (r < 0)
                return r;
        for (word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
                if (!parse_pid(word, &child) || pid_set_contains(processes, child))
                        continue;
                r = pid_set_add(processes, child);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The parent of a process (proc(5), /proc/pid/stat), or 0 when it is gone. The command name is in
 * parentheses and may hold anything, so what follows is looked for from the end. */
static pid_t parent_of(pid_t pid) {
        char path[PROC_PATH_SIZE];
        CLEANUP_FREE char *text = NULL;
        const char *p;
        long parent;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (kernel_text_read(path, &text) < 0)
                return 0;
        /* ") S 1234 ": the state is one letter. */
        p = strrchr(text, ')');
        if (!p || strlen(p) < strlen(") S ") || !parse_number(p + strlen(") S "), &parent))
                return 0;
        return (pid_t) parent;
}

/* For a kernel without /proc/pid/task/tid/children (CONFIG_PROC_CHILDREN): adds to `processes` all whose
 * parent is in it, until there are no more. */
static int add_descendants_by_parent(PidSet *processes) {
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        struct dirent *entry;
        size_t before;
        pid_t pid;
        int r;

        dir = opendir("/proc");
        if (!dir)
                return -errno;
        do {
                before = processes->n_pids;
                rewinddir(dir);
                while ((entry = readdir(dir))) {
                        if (!parse_pid(entry->d_name, &pid) || pid_set_contains(processes, pid) ||
                            !pid_set_contains(processes, parent_of(pid)))
                                continue;
                        r = pid_set_add(processes, pid);
                        if (r < 0)
                                return r;
                }
        } while (processes->n_pids > before);
        return 0;
}

/* The tasks of processes[0] and, as `processes` grows, of its descendants. */
static int collect(PidSet *processes, bool children, PidSet *tasks) {
        bool has_children_files = access("/proc/thread-self/children", R_OK) >= 0;
        int r;

        if (children && !has_children_files) {
                r = add_descendants_by_parent(processes);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < processes->n_pids; i++) {
                size_t first = tasks->n_pids;

                r = add_tasks(processes->pids[i], tasks);
                if (r == -ENOENT && i > 0)
                        continue; /* A descendant that has ended meanwhile. */
                if (r < 0)
                        return r;
                if (!children || !has_children_files)
                        continue;
                for (size_t t = first; t < tasks->n_pids; t++) {
                        r = add_children_of_task(processes->pids[i], tasks->pids[t], processes);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int process_list_tasks(pid_t pid, bool children, Error *error, pid_t **ret, size_t *ret_n) {
        CLEANUP(pid_set_clear) PidSet processes = { 0 };
        CLEANUP(pid_set_clear) PidSet tasks = { 0 };
        int r;

        r = pid_set_add(&processes, pid);
        if (r >= 0)
                r = pid <= 0 ? -ENOENT : collect(&processes, children, &tasks);
        if (r == -ENOENT || r == -ESRCH)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "There is no process %d", pid);
        if (r < 0)
                return error_set_errno(error, r, "Cannot list the tasks of process %d", pid);

        *ret_n = tasks.n_pids;
        *ret = STEAL_PTR(tasks.pids);
        return 0;
}

/* False also for a process that is gone. */
static bool is_of_user(pid_t pid, uid_t user) {
        char path[PROC_PATH_SIZE];
        CLEANUP_FREE char *text = NULL;
        TaskStatus status;

        (void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
        return kernel_text_read(path, &text) >= 0 && task_status_parse(text, &status) >= 0 && status.uids[0] == user;
}

int process_list_tasks_of_user(uid_t user, pid_t **ret, size_t *ret_n) {
        CLEANUP(pid_set_clear) PidSet tasks = { 0 };
        CLEANUP_CLOSEDIR DIR *dir = opendir("/proc");
        struct dirent *entry;
        pid_t pid;
        int r;

        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                if (!parse_pid(entry->d_name, &pid) || !is_of_user(pid, user))
                        continue;
                r = add_tasks(pid, &tasks);
                if (r < 0 && r != -ENOENT && r != -ESRCH)
                        return r;
        }
        *ret_n = tasks.n_pids;
        *ret = STEAL_PTR(tasks.pids);
        return 0;
}
