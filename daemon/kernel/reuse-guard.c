/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/reuse-guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/parse.h"
#include "core/pid-span.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/own-process.h"
#include "ktraced/clock.h"

/* The filter is read this often, or twice in the time that a round takes, or when a quarter of it has been given. */
#define REFRESH_INTERVAL UINT64_C(250000)
#define REFRESHES_PER_ROUND 2
#define REFRESH_PART 4

#define INTERVAL_MIN UINT64_C(5000)
#define INTERVAL_MAX UINT64_C(1000000)
/* Checks in the time that a round takes. */
#define CHECKS_PER_ROUND 4

#define LINE_SIZE 128
#define PATH_SIZE 64
/* The field of /proc/PID/stat, counted behind the name: state is 1 (proc(5), starttime is 22). */
#define FIELD_START_TIME 20

typedef struct WatchedTask {
        pid_t tid;
        uint64_t start_time; /* ticks since boot; 0: it was gone before it could be looked at */
} WatchedTask;

struct ReuseGuard {
        Instance *instance;
        int loadavg_fd;
        pid_t pid_max;
        uint64_t round, interval;
        WatchedTask *tasks; /* sorted */
        size_t n_tasks;
        pid_t newest;         /* of numbers, when it was last checked */
        pid_t refresh_newest; /* when the filter was last read */
        uint64_t checked, refreshed;
};

static int read_newest(const ReuseGuard *guard, pid_t *ret) {
        char line[LINE_SIZE];
        ssize_t n = pread(guard->loadavg_fd, line, sizeof(line) - 1, 0);

        if (n < 0)
                return -errno;
        line[n] = '\0';
        return pid_span_parse_newest(line, ret);
}

static int read_pid_max(ReuseGuard *guard) {
        CLEANUP_FREE char *text = NULL;
        uint64_t number;
        long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
        int r = kernel_text_read("/proc/sys/kernel/pid_max", &text);

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        if (parse_unsigned(text, &number) < 0 || number > INT_MAX)
                return -EBADMSG;
        guard->pid_max = (pid_t) number;
        guard->round = pid_span_round(guard->pid_max, n_cpus > 0 ? (unsigned) n_cpus : 1);
        guard->interval = guard->round / CHECKS_PER_ROUND;
        if (guard->interval < INTERVAL_MIN)
                guard->interval = INTERVAL_MIN;
        if (guard->interval > INTERVAL_MAX)
                guard->interval = INTERVAL_MAX;
        return 0;
}

/* 0 when there is no such task. The name before may hold anything but ends with the last parenthesis. */
static uint64_t read_start_time(pid_t tid) {
        CLEANUP_FREE char *text = NULL;
        char path[PATH_SIZE], *field, *rest;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", tid);
        if (kernel_text_read(path, &text) < 0)
                return 0;
        field = strrchr(text, ')');
        if (!field)
                return 0;
        field = strtok_r(field + 1, " ", &rest);
        for (unsigned i = 1; field && i < FIELD_START_TIME; i++)
                field = strtok_r(NULL, " ", &rest);
        return field ? strtoull(field, NULL, 10) : 0;
}

static int compare_tasks(const void *a, const void *b) {
        pid_t left = ((const WatchedTask *) a)->tid, right = ((const WatchedTask *) b)->tid;

        return (left > right) - (left < right);
}

static const WatchedTask *find_task(const ReuseGuard *guard, pid_t tid) {
        const WatchedTask key = { .tid = tid };

        return guard->n_tasks == 0
                       ? NULL
                       : bsearch(&key, guard->tasks, guard->n_tasks, sizeof(*guard->tasks), compare_tasks);
}

static int refuse(const char *why, pid_t tid, Error *error) {
        return error_set(error, ERROR_OUT_OF_SCOPE,
                         "The recording was ended, since %s the number of task %d may have passed to a task of "
                         "another user",
                         why, tid);
}

/* A task that came into the filter since it was last read was forked by one that was in it, and so has a new number,
 * which is no use for telling when there may have been more than one round; or its process was added, and then it is
 * the owner's. */
static int watch_task(const ReuseGuard *guard, pid_t tid, bool first, Error *error, WatchedTask *ret) {
        const WatchedTask *known = find_task(guard, tid);
        bool less_than_a_round = !first && clock_usec(CLOCK_MONOTONIC) - guard->refreshed < guard->round;

        if (known) {
                *ret = *known;
                return 0;
        }
        *ret = (WatchedTask){ .tid = tid, .start_time = read_start_time(tid) };
        if (tid == PID_OF_NOBODY ||
            (less_than_a_round && pid_span_contains(guard->refresh_newest, guard->newest, tid)))
                return 0;
        if (own_task_check(tid, &guard->instance->owner, NULL) >= 0)
                return 0;
        /* Not there: nothing was recorded of a task with that number when tracing has not begun. */
        if (first && ret->start_time == 0)
                return 0;
        return refuse("it was not seen coming:", tid, error);
}

static int check_numbers(ReuseGuard *guard, Error *error) {
        uint64_t begin = clock_usec(CLOCK_MONOTONIC);
        bool too_long;
        pid_t newest = 0;
        int r = read_newest(guard, &newest);

        if (r < 0)
                return error_set_errno(error, r, "Cannot read which task is the newest");
        /* From before the last reading to after this one. */
        too_long = clock_usec(CLOCK_MONOTONIC) - guard->checked >= guard->round;
        for (size_t i = 0; i < guard->n_tasks; i++) {
                const WatchedTask *task = &guard->tasks[i];

                if (task->tid == PID_OF_NOBODY)
                        continue;
                if (!too_long && !pid_span_contains(guard->newest, newest, task->tid))
                        continue;
                if (task->start_time == 0 || read_start_time(task->tid) != task->start_time)
                        return refuse(too_long ? "the daemon was held up so long that" : "it has ended:", task->tid,
                                      error);
        }
        guard->newest = newest;
        guard->checked = begin;
        return 0;
}

static int refresh(ReuseGuard *guard, bool first, Error *error) {
        CLEANUP(task_list_clear) TaskList list = { 0 };
        CLEANUP_FREE WatchedTask *tasks = NULL;
        int r = read_pid_max(guard);

        if (r >= 0)
                r = instance_read_filter(guard->instance, &list);
        if (r >= 0) {
                tasks = calloc(list.n_tasks + 1, sizeof(*tasks));
                if (!tasks)
                        r = -ENOMEM;
        }
        if (r < 0)
                return error_set_errno(error, r, "Cannot read whose tasks are recorded");
        /* Afterwards, so that whatever is in the list has its number already. */
        r = check_numbers(guard, error);
        for (size_t i = 0; r >= 0 && i < list.n_tasks; i++)
                r = watch_task(guard, list.tasks[i], first, error, &tasks[i]);
        if (r < 0)
                return r;
        free(guard->tasks);
        guard->tasks = STEAL_PTR(tasks);
        guard->n_tasks = list.n_tasks;
        guard->refresh_newest = guard->newest;
        guard->refreshed = guard->checked;
        return 0;
}

/* Numbers that were given since the filter was last read. */
static bool is_refresh_due(const ReuseGuard *guard) {
        pid_t given = guard->newest - guard->refresh_newest;

        if (given < 0)
                given += guard->pid_max;
        return guard->checked - guard->refreshed >= REFRESH_INTERVAL ||
               guard->checked - guard->refreshed >= guard->round / REFRESHES_PER_ROUND ||
               given >= guard->pid_max / REFRESH_PART;
}

int reuse_guard_check(ReuseGuard *guard, Error *error) {
        int r = check_numbers(guard, error);

        if (r < 0 || !is_refresh_due(guard))
                return r;
        return refresh(guard, false, error);
}

int reuse_guard_new(Instance *instance, Error *error, ReuseGuard **ret) {
        CLEANUP(reuse_guard_freep) ReuseGuard *guard = calloc(1, sizeof(*guard));
        int r;

        if (!guard)
                return error_set_errno(error, -ENOMEM, "Cannot guard the recording");
        guard->instance = instance;
        guard->loadavg_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
        if (guard->loadavg_fd < 0)
                return error_set_errno(error, -errno, "Cannot guard the recording");
        r = read_newest(guard, &guard->newest);
        if (r < 0)
                return error_set_errno(error, r, "Cannot guard the recording");
        guard->checked = clock_usec(CLOCK_MONOTONIC);
        r = refresh(guard, true, error);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(guard);
        return 0;
}

void reuse_guard_free(ReuseGuard *guard) {
        if (!guard)
                return;
        closep(&guard->loadavg_fd);
        free(guard->tasks);
        free(guard);
}

uint64_t reuse_guard_interval(const ReuseGuard *guard) {
        return guard->interval;
}
