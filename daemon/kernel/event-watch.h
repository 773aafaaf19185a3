/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * EventWatch: notices that events of the kernel occur, by a small trace instance of its own that records nothing
 * else. Too long a time between two events is an event, too: a synthetic one, see synthetic.h.
 *
 * Its descriptor becomes readable at once when one is there: with buffer_percent 0 whoever polls trace_pipe is woken
 * by each event (rb_wakeups(), kernel/trace/ring_buffer.c, 5.15), and the trouble that some kernels have with waiting
 * for pages of trace_pipe_raw does not arise.
 *
 * Life cycle: event_watch_new() makes the instance, which notices from then on; event_watch_drain() empties it;
 * event_watch_renew() from time to time;
 * event_watch_destroy().
 *
 * Threads: the descriptor can be polled anywhere, the rest is one thread's at a time. All may wait for the kernel.
 */

#include "core/error.h"
#include "core/watch-spec.h"

typedef struct EventWatch EventWatch;

/* Whether the kernel has the events of a watch of kind WATCH_EVENT or WATCH_LATENCY, and they the fields of its
 * filter. The errors are those of catalog_resolve(), behind the watch's name. *tells_of_memory is set when the filter
 * does, see filter_tells_of_memory(). */
int event_watch_check(const WatchSpec *watch, Error *error, bool *tells_of_memory);

/* `name`: of the instance, without prefix, see instance_create(). */
int event_watch_new(const char *name, const WatchSpec *spec, Error *error, EventWatch **ret);
/* Removes the instance. */
int event_watch_destroy(EventWatch *watch);

/* To be polled for EPOLLIN. */
int event_watch_fd(const EventWatch *watch);

/* Of a latency: has the kernel forget which first events it has seen. It has room for 2048 values of the field that
 * is matched, gives none up by itself, and notices nothing of those that come later (TRACING_MAP_BITS_DEFAULT,
 * kernel/trace/tracing_map.h, 5.15 to 6.12). Whatever is between two events at the time is not noticed. On failure
 * nothing is noticed any more. */
int event_watch_renew(EventWatch *watch);

/* Empties the buffer. *ret_last is the newest of what was in it, as the kernel words it, printable; or NULL. */
int event_watch_drain(EventWatch *watch, char **ret_last);
