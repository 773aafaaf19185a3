/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Closing what a client passed. close(2) flushes, and on a network or FUSE file system that stalls it does not
 * return: nobody who must not wait may call it on a descriptor of a client's.
 */

#include <stddef.h>

/* Closes the descriptors on a thread of its own; negative ones are passed over. Where no thread can be made it
 * closes them at once. */
void async_close(const int *fds, size_t n_fds);
