/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/marker-text.h"
#include "core/text.h"
#include "model/budgets.h"
#include "model/manager.h"
#include "model/source.h"

#define COMM_SIZE 16
/* The pipe is looked at again after this time when it was not empty and the lines were spent. */
#define REFILL_USEC 100000U

typedef struct Marker Marker;
struct Marker {
        LIST_ENTRY(Marker) markers; /* of the session */
        Session *session;
        int pipe_fd;   /* to read from */
        int marker_fd; /* of the instance */
        sd_event_source *source, *timer;
        MarkerText text;
        unsigned n_left; /* lines until the next refill */
        char prefix[COMM_SIZE + 16];
};

static void marker_free(Marker *marker) {
        sd_event_source_disable_unref(marker->source);
        sd_event_source_disable_unref(marker->timer);
        closep(&marker->pipe_fd);
        closep(&marker->marker_fd);
        free(marker);
}

static void marker_close(Marker *marker) {
        LIST_REMOVE(marker, markers);
        marker_free(marker);
}

static void write_line(Marker *marker, const char *line) {
        char whole[INSTANCE_MARKER_MAX];

        /* One write is one event. While tracing is off the kernel refuses it, which is as it should be. */
        (void) snprintf(whole, sizeof(whole), "%s%s", marker->prefix, line);
        (void) !write(marker->marker_fd, whole, strlen(whole));
}

/* Takes lines out of the text while there are any to be spent. */
static void write_lines(Marker *marker) {
        char line[MARKER_LINE_MAX + 1];

        while (marker->n_left > 0 && marker_text_next(&marker->text, line)) {
                marker->n_left--;
                write_line(marker, line);
        }
}

static int on_refill(sd_event_source *source, uint64_t usec, void *userdata) {
        Marker *marker = userdata;

        marker->n_left = MARKER_RATE / (1000000U / REFILL_USEC);
        return sd_event_source_set_enabled(marker->source, SD_EVENT_ON);
}

/* Leaves the rest in the pipe until the next refill. */
static int pause_reading(Marker *marker) {
        int r = sd_event_source_set_enabled(marker->source, SD_EVENT_OFF);

        if (r >= 0)
                r = sd_event_source_set_time_relative(marker->timer, REFILL_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(marker->timer, SD_EVENT_ONESHOT);
}

/* Returns what read(2) did. It counts as a line when there is none in what was read: empty lines are bounded, too. */
static ssize_t take(Marker *marker) {
        unsigned n_left = marker->n_left;
        size_t size;
        char *to = marker_text_space(&marker->text, &size);
        ssize_t n = read(marker->pipe_fd, to, size);

        if (n > 0)
                marker_text_added(&marker->text, (size_t) n);
        else if (n == 0)
                marker_text_end(&marker->text);
        write_lines(marker);
        if (n > 0 && marker->n_left == n_left && n_left > 0)
                marker->n_left--;
        return n;
}

/* With what the writer has written up to now. */
void session_close_markers(Session *session) {
        Marker *marker;

        while ((marker = LIST_FIRST(&session->markers))) {
                while (marker->n_left > 0 && take(marker) > 0)
                        ;
                marker_close(marker);
        }
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Marker *marker = userdata;
        ssize_t n;

        write_lines(marker);
        if (marker->n_left == 0)
                return pause_reading(marker);
        n = take(marker);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                marker_close(marker);
        return 0;
}

typedef struct OpenJob {
        Job job;
        Manager *manager;
        char *session_id;   /* it may end meanwhile */
        Instance *instance; /* borrowed: its removal queues behind this job */
        int fd;
        int r;
        pid_t pid;
        char comm[COMM_SIZE];
        ModelDone done;
        void *userdata;
} OpenJob;

static void open_job_free(MailboxItem *item) {
        OpenJob *job = (OpenJob *) item;

        closep(&job->fd);
        free(job->session_id);
        free(job);
}

static void open_run(Job *base) {
        OpenJob *job = (OpenJob *) base;

        job->r = instance_open_marker(job->instance, &job->fd);
}

static int make_marker(OpenJob *job, Session *session, int *ret_write_end) {
        CLEANUP_CLOSE int write_end = -1;
        Marker *marker;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        write_end = fds[1];
        marker = calloc(1, sizeof(*marker));
        if (!marker) {
                (void) close(fds[0]);
                return -ENOMEM;
        }
        *marker = (Marker){
                .session = session,
                .pipe_fd = fds[0],
                .marker_fd = steal_fd(&job->fd),
                .n_left = MARKER_RATE,
        };
        (void) snprintf(marker->prefix, sizeof(marker->prefix), "%s-%d: ", job->comm, (int) job->pid);
        r = sd_event_add_io(session->manager->event, &marker->source, marker->pipe_fd, EPOLLIN, on_readable, marker);
        if (r >= 0)
                r = sd_event_add_time_relative(session->manager->event, &marker->timer, CLOCK_MONOTONIC, REFILL_USEC,
                                               0, on_refill, marker);
        if (r < 0) {
                marker_free(marker);
                return r;
        }
        LIST_INSERT_HEAD(&session->markers, marker, markers);
        *ret_write_end = steal_fd(&write_end);
        return 0;
}

static Session *find_session(Manager *manager, const char *id) {
        Session *session;

        LIST_FOREACH(session, &manager->sessions, sessions)
                if (strcmp(session->id, id) == 0)
                        return session;
        return NULL;
}

static void open_done(Job *base) {
        OpenJob *job = (OpenJob *) base;
        Session *session = find_session(job->manager, job->session_id);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_CLOSE int fd = -1;
        int r = job->r;

        if (r < 0)
                r = error_set_errno(&error, r, "Cannot open the trace's marker file");
        else if (!session || session->state != SESSION_ACTIVE || session->source->instance != job->instance)
                r = error_set(&error, ERROR_WRONG_STATE, "The session has ended");
        else {
                r = make_marker(job, session, &fd);
                if (r < 0)
                        (void) error_set_errno(&error, r, "Cannot make a marker");
        }
        job->done(r, &error, r < 0 ? NULL : &fd, job->userdata);
        open_job_free(&job->job.item);
}

uint64_t session_count_markers(const Session *session) {
        const Marker *marker;
        uint64_t n = 0;

        LIST_FOREACH(marker, &session->markers, markers)
                n++;
        return n;
}

static int check_open(const Session *session, Error *error) {
        const uint64_t n = session_count_markers(session);

        if (session->state != SESSION_ACTIVE)
                return error_set(error, ERROR_WRONG_STATE, "Cannot mark session '%s': it is %s", session->name,
                                 session_state_to_string(session->state));
        if (n >= MARKERS_MAX)
                return error_set(error, ERROR_QUOTA_EXCEEDED,
                                 "Session '%s' has %" PRIu64 " markers open, and may have %u", session->name, n,
                                 MARKERS_MAX);
        return manager_check_budget(session->manager, BUDGET_MARKERS, session->owner, 1, error);
}

void session_open_marker(Session *session, pid_t pid, const char *comm, ModelDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        OpenJob *job = NULL;
        int r = check_open(session, &error);

        if (r >= 0) {
                job = calloc(1, sizeof(*job));
                if (job)
                        *job = (OpenJob){
                                .job = { .item = { .free = open_job_free }, .run = open_run, .done = open_done },
                                .manager = session->manager,
                                .session_id = strdup(session->id),
                                .instance = session->source->instance,
                                .fd = -1,
                                .pid = pid,
                                .done = done,
                                .userdata = userdata,
                        };
                if (!job || !job->session_id) {
                        if (job)
                                open_job_free(&job->job.item);
                        r = error_set_errno(&error, -ENOMEM, "Cannot make a marker");
                }
        }
        if (r < 0) {
                done(r, &error, NULL, userdata);
                return;
        }
        (void) text_escape(comm, job->comm, sizeof(job->comm));
        worker_submit(session->manager->kernel_worker, &job->job);
}
