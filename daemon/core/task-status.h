/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TaskStatus: what /proc/PID/status (proc(5)) says about whom a task belongs to, and whether that can change.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "core/identity.h"

typedef struct TaskStatus {
        char state;            /* one letter, 'Z' for a zombie */
        pid_t tgid;            /* the process */
        uid_t uids[4];         /* real, effective, saved, file system; as those of the reader's user namespace */
        gid_t gids[4];         /* the same */
        uint64_t capabilities; /* permitted */
        bool no_new_privs;
        bool has_memory; /* or it is about to be a zombie, or belongs to the kernel */
} TaskStatus;

/* -EBADMSG when a line is missing or not of the known form. */
int task_status_parse(const char *text, TaskStatus *ret);

/* Whether the task is the owner's and will be, and nobody else's from exec(2) on: all its user and group ids are
 * his, it has no_new_privs set, and it holds no capability by which it could change its ids or that keeps him
 * from debugging it. ERROR_OUT_OF_SCOPE says what is wrong with task `tid`. */
int task_status_check(const TaskStatus *status, pid_t tid, const Identity *owner, Error *error);
