/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/detached-thread.h"

#include <pthread.h>
#include <signal.h>

int detached_thread_start(void *(*function)(void *argument), void *argument, size_t stack_size) {
        pthread_attr_t attributes;
        sigset_t all, saved;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        if (stack_size > 0)
                (void) pthread_attr_setstacksize(&attributes, stack_size);
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &saved);
        r = pthread_create(&thread, &attributes, function, argument);
        (void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
        (void) pthread_attr_destroy(&attributes);
        return -r;
}
