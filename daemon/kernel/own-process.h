/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Processes that a session of scope "self" may trace: its owner's, that can never become anybody else's.
 */

#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"
#include "core/identity.h"

/* Fails unless numbers of processes mean the same to the kernel's filters as in our /proc: ERROR_NOT_SUPPORTED in a
 * pid namespace of our own. */
int own_process_check_namespace(Error *error);

/* All threads that the process has now, each of which was checked (task_status_check()) while the descriptor showed
 * that the number was the process's. ERROR_BAD_DESCRIPTOR, ERROR_NO_SUCH_PROCESS; ERROR_OUT_OF_SCOPE also for a
 * process that its owner may not debug (undumpable). The caller frees *ret. */
int own_process_list_tasks(int pidfd, const Identity *owner, Error *error, pid_t **ret, size_t *ret_n);

/* The same for one task by its number, whose present holder is checked. 1 for a zombie, which does nothing
 * any more and holds the number. ERROR_NO_SUCH_PROCESS: there is none. */
int own_task_check(pid_t tid, const Identity *owner, Error *error);
