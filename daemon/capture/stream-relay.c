/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/stream-relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "ktraced/cleanup.h"

#define STACK_SIZE ((size_t) 256 << 10)

typedef struct StreamRelay {
        int in, out, life;
        char buffer[65536];
} StreamRelay;

static void relay_free(StreamRelay *relay) {
        closep(&relay->in);
        closep(&relay->out);
        /* Last: who sees it finds the others closed. */
        closep(&relay->life);
        free(relay);
}
DEFINE_POINTER_CLEANUP(StreamRelay, relay_free);

/* Whether `fd` is ready for `events` (a hang-up is, too), once it is; false: it is to end. */
static bool wait_for(const StreamRelay *relay, int fd, short events) {
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = relay->life },
                        { .fd = relay->out, .events = fd == relay->out ? events : 0 },
                        { .fd = fd == relay->out ? -1 : fd, .events = events },
                };

                if (poll(fds, ELEMENTSOF(fds), -1) < 0) {
                        if (errno != EINTR)
                                return false;
                        continue;
                }
                if (fds[0].revents != 0 || fds[1].revents & (POLLERR | POLLNVAL))
                        return false;
                return true;
        }
}

static bool pass_on(const StreamRelay *relay, size_t size) {
        for (size_t done = 0; done < size;) {
                ssize_t n;

                if (!wait_for(relay, relay->out, POLLOUT))
                        return false;
                n = write(relay->out, relay->buffer + done, size - done);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return false;
                done += n > 0 ? (size_t) n : 0;
        }
        return true;
}

static void *relay_thread(void *argument) {
        CLEANUP(relay_freep) StreamRelay *relay = argument;

        (void) pthread_setname_np(pthread_self(), "kt-stream");
        while (wait_for(relay, relay->in, POLLIN)) {
                ssize_t n = read(relay->in, relay->buffer, sizeof(relay->buffer));

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        continue;
                if (n <= 0 || !pass_on(relay, (size_t) n))
                        break;
        }
        return NULL;
}

static int start_detached(StreamRelay *relay) {
        pthread_attr_t attributes;
        sigset_t all, saved;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);
        /* Signals are the event loop's. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &saved);
        r = pthread_create(&thread, &attributes, relay_thread, relay);
        (void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
        (void) pthread_attr_destroy(&attributes);
        return -r;
}

int stream_relay_start(int in, int out, int life) {
        CLEANUP_FREE StreamRelay *relay = malloc(sizeof(*relay));
        int r;

        if (!relay)
                return -ENOMEM;
        relay->in = in;
        relay->out = out;
        relay->life = life;
        r = start_detached(relay);
        if (r < 0)
                return r;
        STEAL_PTR(relay);
        return 0;
}
