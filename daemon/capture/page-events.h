/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How many events a page of the kernel's ring buffer holds, and which, by libtraceevent's kbuffer.
 */

#include <stddef.h>
#include <stdint.h>

/* `page`: `size` bytes as trace_pipe_raw gives them, from this machine's kernel. *ret: without those that only
 * carry the time on. -EBADMSG when it says that it has more than fits. */
int page_events_count(const void *page, size_t size, uint64_t *ret);

/* The same, and adds each event to the count of its type: the number that the kernel's format files call ID, with
 * which every event begins (struct trace_entry, include/linux/trace_events.h, 5.15). `counts` has PAGE_EVENT_TYPES.
 * *ret_bytes: of the data, without the page's own head. */
#define PAGE_EVENT_TYPES ((size_t) UINT16_MAX + 1)
int page_events_count_types(const void *page, size_t size, uint32_t *counts, uint64_t *ret, uint64_t *ret_bytes);
