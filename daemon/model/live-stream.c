/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/live-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/stream-relay.h"
#include "config.h"
#include "model/budgets.h"
#include "model/manager.h"
#include "model/source.h"

/* In a smaller one a page would find no room beside what is kept free for the account of losses (capture/stream.c).
 */
#define PIPE_SIZE_MIN (64 << 10)

struct LiveStream {
        LIST_ENTRY(LiveStream) streams; /* of the manager */
        uid_t uid;
        char *session_id;
        sd_event_source *life; /* hung up: the thread has ended */
};

static void live_stream_free(LiveStream *stream) {
        if (!stream)
                return;
        (void) sd_event_source_disable_unref(stream->life);
        free(stream->session_id);
        free(stream);
}
DEFINE_POINTER_CLEANUP(LiveStream, live_stream_free);

static void unlink_and_free(LiveStream *stream) {
        LIST_REMOVE(stream, streams);
        live_stream_free(stream);
}

void manager_free_streams(Manager *manager) {
        LiveStream *stream;

        while ((stream = LIST_FIRST(&manager->streams)))
                unlink_and_free(stream);
}

static int on_life(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        unlink_and_free(userdata);
        return 0;
}

QuotaUse live_streams_count(const Manager *manager, uid_t uid) {
        const LiveStream *stream;
        QuotaUse use = { 0 };

        LIST_FOREACH(stream, &manager->streams, streams) {
                use.total++;
                use.of_user += stream->uid == uid;
        }
        return use;
}

static int check_quota(const Session *session, uid_t uid, Error *error) {
        const LiveStream *stream;
        unsigned n = 0;

        LIST_FOREACH(stream, &session->manager->streams, streams)
                n += strcmp(stream->session_id, session->id) == 0;
        if (n >= STREAMS_SESSION_MAX)
                return error_set(error, ERROR_QUOTA_EXCEEDED, "Session '%s' has %u streams open, and may have %u",
                                 session->name, n, STREAMS_SESSION_MAX);
        return manager_check_budget(session->manager, BUDGET_STREAMS, uid, 1, error);
}

static int check_open(const Session *session, uid_t uid, Error *error) {
        if (session->state != SESSION_ACTIVE)
                return error_set(error, ERROR_WRONG_STATE, "Cannot follow session '%s': it is %s", session->name,
                                 session_state_to_string(session->state));
        if (spec_is_ring(session->spec))
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "Cannot follow session '%s': it is a ring, and to read it would empty it; take a "
                                 "snapshot",
                                 session->name);
        return check_quota(session, uid, error);
}

/* `size` 0: as it is made. The end to write to does not block, the other does. */
static int make_pipe(int size, int *ret_reading, int *ret_writing) {
        CLEANUP_CLOSE int reading = -1, writing = -1;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        reading = fds[0];
        writing = fds[1];
        /* A smaller one holds less for a reader that is slow. */
        if (size > 0)
                (void) fcntl(writing, F_SETPIPE_SZ, size);
        if (size > 0 && fcntl(writing, F_GETPIPE_SZ) < PIPE_SIZE_MIN)
                return -EDQUOT;
        if (fcntl(writing, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        *ret_reading = steal_fd(&reading);
        *ret_writing = steal_fd(&writing);
        return 0;
}

static int live_stream_new(const Session *session, uid_t uid, int life, LiveStream **ret) {
        CLEANUP(live_stream_freep) LiveStream *stream = calloc(1, sizeof(*stream));
        int r;

        if (!stream)
                return -ENOMEM;
        stream->uid = uid;
        stream->session_id = strdup(session->id);
        if (!stream->session_id)
                return -ENOMEM;
        r = sd_event_add_io(session->manager->event, &stream->life, life, EPOLLHUP, on_life, stream);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(stream);
        return 0;
}

/* The installed one, or that of the build directory which the daemon runs from. The caller frees. */
static int find_program(char **ret) {
        CLEANUP_FREE char *path = NULL;
        char self[PATH_MAX];
        ssize_t n;

        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        self[n > 0 ? n : 0] = '\0';
        if (n <= 0 || strcmp(self, KTRACED_DAEMON_PATH) == 0)
                path = strdup(KTRACED_RENDER_PATH);
        else if (asprintf(&path, "%.*s/../client/ktraced-render", (int) (strrchr(self, '/') - self), self) < 0)
                path = NULL;
        if (!path)
                return -ENOMEM;
        if (access(path, X_OK) < 0)
                return -EOPNOTSUPP;
        *ret = STEAL_PTR(path);
        return 0;
}

/* From the pump by way of the thread to the client. */
static int connect_stream(Session *session, uid_t uid, const char *program, int *ret_fd) {
        CLEANUP_CLOSE int pump_end = -1, relay_in = -1, relay_out = -1, client_end = -1, life = -1, relay_life = -1;
        CLEANUP(live_stream_freep) LiveStream *stream = NULL;
        int lives[2], r;

        r = make_pipe(STREAM_PIPE_SIZE, &relay_in, &pump_end);
        if (r >= 0)
                r = make_pipe(0, &client_end, &relay_out);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lives) < 0)
                return -errno;
        life = lives[0];
        relay_life = lives[1];
        r = live_stream_new(session, uid, life, &stream);
        if (r < 0)
                return r;
        r = sd_event_source_set_io_fd_own(stream->life, true);
        if (r < 0)
                return r;
        (void) steal_fd(&life);
        r = stream_relay_start(relay_in, relay_out, relay_life, program);
        if (r < 0)
                return r;
        /* They are the thread's now, which ends when the pump's end is closed. */
        (void) steal_fd(&relay_in);
        (void) steal_fd(&relay_out);
        (void) steal_fd(&relay_life);
        r = pump_add_stream_fd(session->source->pump, session->sink_id, pump_end);
        if (r < 0)
                return r;
        (void) steal_fd(&pump_end);
        LIST_INSERT_HEAD(&session->manager->streams, stream, streams);
        STEAL_PTR(stream);
        *ret_fd = steal_fd(&client_end);
        return 0;
}

int session_open_stream(Session *session, uid_t uid, StreamFormat format, Error *error, int *ret_fd) {
        CLEANUP_FREE char *program = NULL;
        int r;

        r = check_open(session, uid, error);
        if (r < 0)
                return r;
        if (format == STREAM_TEXT)
                r = find_program(&program);
        if (r >= 0)
                r = connect_stream(session, uid, program, ret_fd);
        return r < 0 ? error_set_errno(error, r, "Cannot make a stream") : 0;
}
