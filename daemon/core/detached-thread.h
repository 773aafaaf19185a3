/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A thread that nobody waits for: it gets what it needs, answers to nobody, and ends. All signals are blocked in it,
 * since they are the event loop's.
 */

#include <stddef.h>

/* `argument` is the thread's from then on, and stays the caller's on failure. `stack_size` in bytes, 0 for the
 * system's default. -errno of pthread_create(3). */
int detached_thread_start(void *(*function)(void *argument), void *argument, size_t stack_size);
