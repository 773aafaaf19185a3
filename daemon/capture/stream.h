/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Stream: pages of a session, as they are recorded, to a pipe; the format is that of ktraced/stream-frame.h.
 *
 * The pipe is the only buffer. A frame that does not fit into it whole is dropped and counted, so that nobody waits
 * for the reader and no frame is ever cut. What is in the pipe at the end stays there for the reader. That is to be a
 * thread of the daemon (stream-relay.h): who has an end of a pipe can hold its lock for as long as a fault in their
 * memory takes, and a write waits for the lock in any case.
 *
 * Life cycle: stream_new() with the head; stream_put() and stream_tick(); stream_end(), which the reader sees as the
 * end. Threads: one.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/cpu-list.h"
#include "ktraced/cleanup.h"
#include "ktraced/stream-frame.h"

typedef struct Stream Stream;

/* `fd`: the pipe's writing end, not blocking; it and `head` (malloc'ed) are taken over on success. `cpus`: those that
 * can have pages; borrowed. */
int stream_new(int fd, void *head, size_t head_size, const CpuList *cpus, Stream **ret);
void stream_free(Stream *stream);
DEFINE_POINTER_CLEANUP(Stream, stream_free);

/* 0, also when it was dropped; -EPIPE: the reader is gone. Does nothing before the head is through. */
int stream_put(Stream *stream, size_t cpu_index, const void *page, size_t size);
/* The same, with whole lines. */
int stream_put_comms(Stream *stream, const char *comms);
/* From time to time, after all that was recorded before has been put: goes on with the head, tells what was lost and
 * that all has come, finds out whether the reader is gone (-EPIPE). */
int stream_tick(Stream *stream);
/* Tells what was lost, for which there is always room, and frees. */
void stream_end(Stream *stream);
