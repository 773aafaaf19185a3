/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * WatchMemory: when watches fired (core/watch-limits.h), in the file watches.json of the state directory, so that
 * their limits hold over restarts. It is written by the store's worker each time that one fires; while that is
 * writing, what comes is written together.
 *
 * Life cycle: watch_memory_new(); once, watch_memory_read() on the worker and watch_memory_take(); then
 * watch_memory_find() and watch_memory_note(); watch_memory_free(), when the worker is gone.
 */

#include "core/watch-limits.h"
#include "model/watch.h"

typedef struct WatchMemory WatchMemory;

/* `directory` NULL: nothing is kept beyond the daemon. */
int watch_memory_new(Manager *manager, const char *directory, WatchMemory **ret);
void watch_memory_free(WatchMemory *memory);

/* NULL: there is none. */
const char *watch_memory_directory(const WatchMemory *memory);

/* For a worker. A file that is not there has nothing. */
int watch_memory_read(const char *directory, Error *error, WatchLimits *ret);
/* Takes what was read over. */
void watch_memory_take(WatchMemory *memory, WatchLimits *limits);

/* The time that the limits go by. */
uint64_t watch_memory_clock(void);
/* Has a new watch begin where one of its name had got to. */
void watch_memory_recall(const WatchMemory *memory, Watch *watch);
/* It has just fired. */
void watch_memory_note(WatchMemory *memory, const Watch *watch);
