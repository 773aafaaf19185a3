/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/async-close.h"

#include <pthread.h>
#include <string.h>

#include "core/detached-thread.h"
#include "ktraced/cleanup.h"

typedef struct Closing {
        size_t n_fds;
        int fds[];
} Closing;

static void close_all(const int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                closep(&fds[i]);
}

static void *closing_thread(void *argument) {
        CLEANUP_FREE Closing *closing = argument;

        (void) pthread_setname_np(pthread_self(), "kt-close");
        close_all(closing->fds, closing->n_fds);
        return NULL;
}

void async_close(const int *fds, size_t n_fds) {
        CLEANUP_FREE Closing *closing = malloc(sizeof(*closing) + n_fds * sizeof(fds[0]));

        if (!closing) {
                close_all(fds, n_fds);
                return;
        }
        closing->n_fds = n_fds;
        if (n_fds > 0)
                memcpy(closing->fds, fds, n_fds * sizeof(fds[0]));
        if (detached_thread_start(closing_thread, closing, 0) < 0) {
                close_all(fds, n_fds);
                return;
        }
        STEAL_PTR(closing);
}
