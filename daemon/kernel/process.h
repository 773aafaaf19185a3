/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Processes as tracing sees them: tasks (threads) by number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

/* The pid behind a pidfd (fdinfo, proc(5)). ERROR_BAD_DESCRIPTOR when it is none, ERROR_NO_SUCH_PROCESS
 * when the process is gone. */
int process_from_pidfd(int pidfd, Error *error, pid_t *ret);

/* The threads of a process, and with `children` those of all its descendants, at this moment. The caller
 * frees *ret. ERROR_NO_SUCH_PROCESS. */
int process_list_tasks(pid_t pid, bool children, Error *error, pid_t **ret, size_t *ret_n);

/* The threads of all processes whose real uid is `user`, at this moment; none is no failure. The caller frees *ret.
 */
int process_list_tasks_of_user(uid_t user, pid_t **ret, size_t *ret_n);
