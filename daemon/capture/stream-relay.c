/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/stream-relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/detached-thread.h"
#include "ktraced/cleanup.h"

#define STACK_SIZE ((size_t) 256 << 10)

typedef struct StreamRelay {
        int in, out, life;
        char *program;
        char buffer[65536];
} StreamRelay;

static void relay_free(StreamRelay *relay) {
        closep(&relay->in);
        closep(&relay->out);
        /* Last: who sees it finds the others closed. */
        closep(&relay->life);
        free(relay->program);
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

/* Standard error is of no use: libtracecmd writes there what it also returns. */
static int spawn(const StreamRelay *relay, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                 pid_t *ret) {
        char *argv[] = { relay->program, NULL }, *no_environment[] = { NULL };
        sigset_t none, all;
        int r;

        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        r = posix_spawn_file_actions_adddup2(actions, relay->in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, relay->out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawn(ret, relay->program, actions, attributes, argv, no_environment);
        return -r;
}

static int start_program(const StreamRelay *relay, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = -posix_spawnattr_init(&attributes);
        if (r == 0) {
                r = spawn(relay, &actions, &attributes, ret);
                (void) posix_spawnattr_destroy(&attributes);
        }
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

static void close_end(int *fd) {
        closep(fd);
        *fd = -1;
}

static bool life_ends_first(const StreamRelay *relay, int pidfd) {
        struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = relay->life } };

        while (poll(fds, ELEMENTSOF(fds), -1) < 0)
                if (errno != EINTR)
                        return true;
        return fds[0].revents == 0;
}

static void run_program(StreamRelay *relay) {
        CLEANUP_CLOSE int pidfd = -1;
        pid_t pid = 0;
        int r;

        r = start_program(relay, &pid);
        /* They are the program's: when that has gone, the pump and the client are to see it. */
        close_end(&relay->in);
        close_end(&relay->out);
        if (r < 0)
                return;
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0 || life_ends_first(relay, pidfd))
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static void *relay_thread(void *argument) {
        CLEANUP(relay_freep) StreamRelay *relay = argument;

        (void) pthread_setname_np(pthread_self(), "kt-stream");
        if (relay->program) {
                run_program(relay);
                return NULL;
        }
        while (wait_for(relay, relay->in, POLLIN)) {
                ssize_t n = read(relay->in, relay->buffer, sizeof(relay->buffer));

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        continue;
                if (n <= 0 || !pass_on(relay, (size_t) n))
                        break;
        }
        return NULL;
}

int stream_relay_start(int in, int out, int life, const char *program) {
        CLEANUP_FREE StreamRelay *relay = calloc(1, sizeof(*relay));
        CLEANUP_FREE char *copy = NULL;
        int r;

        if (!relay)
                return -ENOMEM;
        if (program) {
                copy = strdup(program);
                if (!copy)
                        return -ENOMEM;
        }
        relay->in = in;
        relay->out = out;
        relay->life = life;
        relay->program = copy;
        r = detached_thread_start(relay_thread, relay, STACK_SIZE);
        if (r < 0)
                return r;
        STEAL_PTR(relay);
        STEAL_PTR(copy);
        return 0;
}
