/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Streams of the pump with real events: a reader that reads gets all of them, one that does not loses its own, which
 * are counted, and the capture has every event in either case.
 */

#include "capture-test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/page-events.h"
#include "capture/stream-relay.h"
#include "capture/stream.h"

#define CHILD_NAME "stream-child"
#define BUFFER (8U << 20)

/* What a reader got. */
typedef struct Received {
        int fd;
        char *head; /* path of a file with it; or NULL */
        atomic_bool head_ended;
        atomic_ullong events;
        uint64_t lost_events, lost_pages, frames, syncs;
        bool named; /* CHILD_NAME came */
} Received;

static bool read_all(int fd, void *data, size_t size) {
        for (size_t done = 0; done < size;) {
                ssize_t n = read(fd, (char *) data + done, size - done);

                if (n <= 0) {
                        /* Never within a frame. */
                        assert_int_equal(done, 0);
                        return false;
                }
                done += (size_t) n;
        }
        return true;
}

/* 60 s at most. */
#define wait_until(condition)                                       \
        do {                                                        \
                for (unsigned n = 0; !(condition) && n < 6000; n++) \
                        (void) usleep(10000);                       \
                assert_true(condition);                             \
        } while (false)

/* In a child of that name. */
static void make_named_events(unsigned n) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_NAME, CHILD_NAME);
                make_events(n);
                _exit(EXIT_SUCCESS);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void take_head(Received *received, const void *data, size_t size) {
        CLEANUP_CLOSE int fd = -1;

        assert_false(received->head_ended);
        if (size == 0)
                received->head_ended = true;
        if (!received->head)
                return;
        fd = open(received->head, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
}

/* One frame; false at the end. */
static bool receive_frame(Received *received) {
        static _Thread_local char data[STREAM_FRAME_MAX];
        uint64_t events = 0;
        StreamFrame frame;
        StreamLost lost;

        if (!read_all(received->fd, &frame, sizeof(frame)))
                return false;
        assert_true(frame.size <= sizeof(data));
        assert_int_equal(frame.reserved, 0);
        assert_true(frame.size == 0 || read_all(received->fd, data, frame.size));
        received->frames++;
        if (frame.type == STREAM_HEAD) {
                take_head(received, data, frame.size);
                return true;
        }
        assert_true(received->head_ended);
        switch (frame.type) {
        case STREAM_PAGE:
                assert_int_equal(page_events_count(data, frame.size, &events), 0);
                received->events += events;
                return true;
        case STREAM_SYNC:
                received->syncs++;
                return true;
        case STREAM_COMMS:
                assert_true(frame.size > 0 && data[frame.size - 1] == '\n');
                if (memmem(data, frame.size, " " CHILD_NAME "\n", strlen(CHILD_NAME) + 2))
                        received->named = true;
                return true;
        default:
                assert_int_equal(frame.type, STREAM_LOST);
                assert_int_equal(frame.size, sizeof(lost));
                memcpy(&lost, data, sizeof(lost));
                received->lost_events += lost.events;
                received->lost_pages += lost.pages;
                return true;
        }
}

static void *receive(void *userdata) {
        while (receive_frame(userdata))
                ;
        return NULL;
}

/* Returns the end to read from. *ret_writing: the other one, which is the pump's; may be NULL. */
static int open_stream(TestPump *pump, uint64_t sink_id, int size, int *ret_writing) {
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_true(fcntl(fds[1], F_SETPIPE_SZ, size) > 0);
        assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
        if (ret_writing)
                *ret_writing = fds[1];
        assert_int_equal(pump_add_stream_fd(pump->pump, sink_id, fds[1]), 0);
        return fds[0];
}

static uint64_t end_and_count(TestPump *pump, const char *capture) {
        CLEANUP(pump_report_freep) PumpReport *report = NULL;

        assert_int_equal(pump_remove_sink(pump->pump, 1, "stopped"), 0);
        report = pump_wait(pump, PUMP_SINK_CLOSED, 1);
        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->lost, 0);
        assert_int_equal(count_capture(capture, report->metadata, 0), report->events);
        return report->events;
}

static void a_reader_gets_every_event(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0), *head = path_of(tree, "head.dat");
        CLEANUP_CLOSE int fd = -1;
        static Received received;
        pthread_t thread;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        fd = open_stream(&pump, 1, 1 << 20, NULL);
        received = (Received){ .fd = fd, .head = head };
        assert_int_equal(pthread_create(&thread, NULL, receive, &received), 0);
        /* Until the head is through, there is nothing to get. */
        wait_until(received.head_ended);
        /* No faster than a busy machine reads. */
        for (unsigned i = 0; i < 20; i++) {
                make_named_events(5000);
                wait_until(received.events >= UINT64_C(5000) * (i + 1));
        }
        assert_int_equal(end_and_count(&pump, capture), 100000);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(received.events, 100000);
        assert_int_equal(received.lost_pages, 0);
        assert_true(received.named);
        assert_true(received.syncs > 1);
        assert_true(is_valid(head));
        assert_int_equal(count_events(head, 0), 0);
        pump_end(&pump);
        remove_tree(tree);
}

static void one_that_does_not_read_loses_its_own(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0);
        CLEANUP_CLOSE int fd = -1;
        static Received received;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        fd = open_stream(&pump, 1, 1 << 20, NULL);
        received = (Received){ .fd = fd };
        while (!received.head_ended)
                assert_true(receive_frame(&received));
        make_events_in_children(4, 75000);
        assert_int_equal(end_and_count(&pump, capture), 300000);

        /* What had found its place is still there, and the account of the rest. */
        (void) receive(&received);
        assert_true(received.events > 0);
        assert_true(received.lost_pages > 0);
        assert_int_equal(received.events + received.lost_events, 300000);
        pump_end(&pump);
        remove_tree(tree);
}

/* What /proc says that a descriptor is, or "" when it is closed. */
static void describe_fd(int fd, char ret[static 64]) {
        char path[32];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, ret, 63);
        ret[n > 0 ? n : 0] = '\0';
}

/* Within 60 s. */
static void expect_closed(int fd, const char *what) {
        char now[64];

        wait_until((describe_fd(fd, now), strcmp(now, what) != 0));
}

static void readers_that_go_are_noticed(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0);

        pump_expect(&pump, PUMP_SINK_READY, 1);
        for (unsigned i = 0; i < 10; i++) {
                char what[64];
                int writing;
                int reading = open_stream(&pump, 1, 1 << 16, &writing);

                describe_fd(writing, what);
                (void) close(reading);
                make_events(1000);
                expect_closed(writing, what);
        }
        assert_int_equal(end_and_count(&pump, capture), 10000);
        pump_end(&pump);
        remove_tree(tree);
}

/* A pipe to write to and what comes out of the relay behind it. */
typedef struct TestRelay {
        int in, out, life;
} TestRelay;

static TestRelay begin_relay(const char *program) {
        int first[2], second[2], lives[2];

        assert_int_equal(pipe2(first, O_CLOEXEC), 0);
        assert_int_equal(pipe2(second, O_CLOEXEC), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lives), 0);
        assert_int_equal(fcntl(second[1], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(stream_relay_start(first[0], second[1], lives[1], program), 0);
        return (TestRelay){ .in = first[1], .out = second[0], .life = lives[0] };
}

/* Within 60 s. */
static void expect_hangup(int fd) {
        struct pollfd poll_fd = { .fd = fd };

        assert_int_equal(poll(&poll_fd, 1, 60000), 1);
        assert_true(poll_fd.revents & (POLLHUP | POLLERR));
}

static void a_relay_passes_everything_on(void **state) {
        TestRelay relay = begin_relay(NULL);
        char bytes[1000], got[sizeof(bytes)];

        for (unsigned i = 0; i < 20; i++) {
                memset(bytes, (int) ('a' + i), sizeof(bytes));
                assert_int_equal(write(relay.in, bytes, sizeof(bytes)), sizeof(bytes));
        }
        assert_int_equal(close(relay.in), 0);
        for (unsigned i = 0; i < 20; i++) {
                memset(bytes, (int) ('a' + i), sizeof(bytes));
                assert_true(read_all(relay.out, got, sizeof(got)));
                assert_memory_equal(got, bytes, sizeof(got));
        }
        assert_false(read_all(relay.out, got, 1));
        expect_hangup(relay.life);
        (void) close(relay.out);
        (void) close(relay.life);
}

static void a_relay_ends_when_its_reader_goes(void **state) {
        TestRelay relay = begin_relay(NULL);

        (void) close(relay.out);
        expect_hangup(relay.life);
        expect_hangup(relay.in);
        (void) close(relay.in);
        (void) close(relay.life);
}

static void a_relay_ends_while_its_reader_stalls(void **state) {
        TestRelay relay = begin_relay(NULL);
        char bytes[4096] = { 0 };

        /* More than the second pipe takes, and not more than both. */
        for (unsigned i = 0; i < 20; i++)
                assert_int_equal(write(relay.in, bytes, sizeof(bytes)), sizeof(bytes));
        (void) close(relay.life);
        expect_hangup(relay.in);
        (void) close(relay.in);
        (void) close(relay.out);
}

static void without_a_sink_it_ends_at_once(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_CLOSE int fd = open_stream(&pump, 7, 1 << 16, NULL);
        static Received received;

        received = (Received){ .fd = fd };
        (void) receive(&received);
        assert_int_equal(received.frames, 0);
        pump_end(&pump);
        remove_tree(tree);
}

/* cat(1) does what the relay does by itself. */
static void a_program_passes_everything_on(void **state) {
        TestRelay relay = begin_relay("/bin/cat");
        char got[6];

        assert_int_equal(write(relay.in, "a line", 6), 6);
        assert_true(read_all(relay.out, got, sizeof(got)));
        assert_memory_equal(got, "a line", sizeof(got));
        assert_int_equal(close(relay.in), 0);
        assert_false(read_all(relay.out, got, 1));
        expect_hangup(relay.life);
        (void) close(relay.out);
        (void) close(relay.life);
}

static void a_program_is_killed_with_its_stream(void **state) {
        TestRelay relay = begin_relay("/bin/cat");
        char got[1];

        assert_int_equal(write(relay.in, "x", 1), 1);
        assert_true(read_all(relay.out, got, sizeof(got)));
        (void) close(relay.life);
        expect_hangup(relay.in);
        assert_false(read_all(relay.out, got, 1));
        (void) close(relay.in);
        (void) close(relay.out);
}

static void one_that_is_not_there_ends_it(void **state) {
        TestRelay relay = begin_relay("/nonexistent/program");

        expect_hangup(relay.life);
        expect_hangup(relay.in);
        expect_hangup(relay.out);
        (void) close(relay.in);
        (void) close(relay.out);
        (void) close(relay.life);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_reader_gets_every_event),
                cmocka_unit_test(one_that_does_not_read_loses_its_own),
                cmocka_unit_test(readers_that_go_are_noticed),
                cmocka_unit_test(without_a_sink_it_ends_at_once),
                cmocka_unit_test(a_relay_passes_everything_on),
                cmocka_unit_test(a_relay_ends_when_its_reader_goes),
                cmocka_unit_test(a_relay_ends_while_its_reader_stalls),
                cmocka_unit_test(a_program_passes_everything_on),
                cmocka_unit_test(a_program_is_killed_with_its_stream),
                cmocka_unit_test(one_that_is_not_there_ends_it),
        };

        return kernel_test_run("capture-stream", tests, ELEMENTSOF(tests));
}
