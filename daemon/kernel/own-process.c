/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/own-process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/parse.h"
#include "core/task-status.h"
#include "kernel/process.h"

/* PROC_PID_INIT_INO, the inode of the first pid namespace (include/linux/proc_ns.h, 3.8 to 6.18). */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFCU

/* The text has some 60 lines; the list of groups has up to 65,536 entries, but stands behind what is read here except
 * for the capabilities. */
#define STATUS_SIZE (1U << 20)
#define PATH_SIZE 64

int own_process_check_namespace(Error *error) {
        struct stat st;

        if (stat("/proc/self/ns/pid", &st) < 0)
                return error_set_errno(error, -errno, "Cannot look at the pid namespace");
        if (st.st_ino != INITIAL_PID_NAMESPACE)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "scope: \"self\" is not possible where the daemon is in a pid namespace of its own");
        return 0;
}

static int read_all(int fd, char **ret) {
        CLEANUP_FREE char *text = malloc(STATUS_SIZE);
        size_t size = 0;

        if (!text)
                return -ENOMEM;
        while (size < STATUS_SIZE - 1) {
                ssize_t n = read(fd, text + size, STATUS_SIZE - 1 - size);

                if (n < 0)
                        return -errno;
                if (n == 0) {
                        text[size] = '\0';
                        *ret = STEAL_PTR(text);
                        return 0;
                }
                size += (size_t) n;
        }
        return -EFBIG;
}

/* `path` is that of a status file, relative to `dir_fd`. 1 for a zombie, or what is about to be one. */
static int check_status(int dir_fd, const char *path, pid_t tid, const Identity *owner, Error *error) {
        CLEANUP_CLOSE int fd = -1;
        CLEANUP_FREE char *text = NULL;
        TaskStatus status = { 0 };
        struct stat st = { 0 };
        int r;

        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
        r = fd < 0 || fstat(fd, &st) < 0 ? -errno : read_all(fd, &text);
        if (r >= 0)
                r = task_status_parse(text, &status);
        if (r == -ENOENT || r == -ESRCH)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "There is no task %d", tid);
        if (r < 0)
                return error_set_errno(error, r, "Cannot look at task %d", tid);
        if (status.state == 'X')
                return error_set(error, ERROR_NO_SUCH_PROCESS, "There is no task %d", tid);
        r = task_status_check(&status, tid, owner, error);
        if (r < 0)
                return r;
        /* Its memory is gone, and with it who may debug it; it will run nothing any more. */
        if (status.state == 'Z' || !status.has_memory)
                return 1;
        /* What is in there belongs to root when the owner may not debug the task (task_dump_owner(), fs/proc/base.c).
         */
        if (st.st_uid != owner->uid)
                return error_set(
                        error, ERROR_OUT_OF_SCOPE,
                        "scope: task %d has made itself undumpable (prctl(2)), or the program that it runs did", tid);
        return 0;
}

int own_task_check(pid_t tid, const Identity *owner, Error *error) {
        char path[PATH_SIZE];

        (void) snprintf(path, sizeof(path), "/proc/%d/status", tid);
        return check_status(AT_FDCWD, path, tid, owner, error);
}

static int add_task(pid_t **tasks, size_t *n_tasks, pid_t tid) {
        pid_t *larger = reallocarray(*tasks, *n_tasks + 1, sizeof(*larger));

        if (!larger)
                return -ENOMEM;
        larger[(*n_tasks)++] = tid;
        *tasks = larger;
        return 0;
}

/* Checks and lists what is in the open directory of a process's tasks. One that ends meanwhile is passed over. */
static int check_tasks(DIR *dir, const Identity *owner, Error *error, pid_t **ret, size_t *ret_n) {
        CLEANUP_FREE pid_t *tasks = NULL;
        struct dirent *entry;
        size_t n_tasks = 0;

        while ((entry = readdir(dir))) {
                CLEANUP(error_clear) Error reason = ERROR_INIT;
                char path[PATH_SIZE];
                uint64_t tid;
                int r;

                if (parse_unsigned(entry->d_name, &tid) < 0 || tid == 0 || tid > INT_MAX)
                        continue;
                (void) snprintf(path, sizeof(path), "%d/status", (int) tid);
                r = check_status(dirfd(dir), path, (pid_t) tid, owner, &reason);
                if (reason.code == ERROR_NO_SUCH_PROCESS || r > 0)
                        continue;
                if (r < 0) {
                        if (error)
                                error_move(error, &reason);
                        return r;
                }
                r = add_task(&tasks, &n_tasks, (pid_t) tid);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot list the tasks of a process");
        }
        if (n_tasks == 0)
                return error_set(error, ERROR_NO_SUCH_PROCESS, "The process of the descriptor has ended");
        *ret = STEAL_PTR(tasks);
        *ret_n = n_tasks;
        return 0;
}

/* The directory is opened while the number is the process's, and stays the process's whatever becomes of the number:
 * the descriptor says before and after that it has not been given up (proc(5), fdinfo). */
int own_process_list_tasks(int pidfd, const Identity *owner, Error *error, pid_t **ret, size_t *ret_n) {
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        char path[PATH_SIZE];
        pid_t pid, again;
        int r, saved;

        r = process_from_pidfd(pidfd, error, &pid);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), "/proc/%d/task", pid);
        dir = opendir(path);
        saved = errno;
        r = process_from_pidfd(pidfd, error, &again);
        if (r < 0)
                return r;
        if (!dir || again != pid)
                return error_set_errno(error, dir ? -ESRCH : -saved, "Cannot look at process %d", pid);
        return check_tasks(dir, owner, error, ret, ret_n);
}
