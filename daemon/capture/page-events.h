/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How many events a page of the kernel's ring buffer holds, by libtraceevent's kbuffer.
 */

#include <stddef.h>
#include <stdint.h>

/* `page`: `size` bytes as trace_pipe_raw gives them, from this machine's kernel. *ret: without those that only
 * carry the time on. -EBADMSG when it says that it has more than fits. */
int page_events_count(const void *page, size_t size, uint64_t *ret);
