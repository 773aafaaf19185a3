/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* a{sv} -> Spec: messages are made on a connection over a socket pair and never sent. */

#include "test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/bus-connect.h"
#include "bus/bus-spec.h"
#include "ktraced/cleanup.h"

typedef struct Fixture {
        sd_bus *bus;
        int peer;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        int pair[2];

        assert_non_null(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        assert_true(bus_connect_client(pair[0], &f->bus) >= 0);
        f->peer = pair[1];
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        sd_bus_close_unref(f->bus);
        (void) close(f->peer);
        free(f);
        return 0;
}

/* Reads what appending (types, ...) makes. */
static int read_spec(Fixture *f, Error *error, Spec **ret, const char *types, ...) {
        sd_bus_message *message = NULL;
        va_list ap;
        int r;

        assert_true(sd_bus_message_new_signal(f->bus, &message, "/a", "a.b", "C") >= 0);
        va_start(ap, types);
        r = sd_bus_message_appendv(message, types, ap);
        va_end(ap);
        assert_true(r >= 0);
        assert_true(sd_bus_message_seal(message, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(message, 1) >= 0);
        r = bus_spec_read(message, error, ret);
        sd_bus_message_unref(message);
        return r;
}

static void test_all_types(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;

        assert_succeeds(read_spec(*state, &error, &spec, "a{sv}", 8, "events", "as", 2, "sched", "irq:*", "filters",
                                  "a{ss}", 1, "sched", "pid > 1", "pids", "ai", 2, 1, 2, "children", "b", 1, "cpus",
                                  "s", "0-1", "buffer_size", "s", "1M", "segment_size", "t", UINT64_C(1048576),
                                  "segments", "u", 3U),
                        &error);
        assert_string_equal(spec->events[1], "irq:*");
        assert_null(spec->events[2]);
        assert_int_equal(spec->n_filters, 1);
        assert_string_equal(spec->filters[0].expression, "pid > 1");
        assert_int_equal(spec->n_pids, 2);
        assert_true(spec->children);
        assert_int_equal(spec->buffer_size, 1 << 20);
        assert_int_equal(spec->segment_size, 1 << 20);
        assert_int_equal(spec->segments, 3);
        assert_int_equal(spec->output, -1);
}

static void test_empty(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;

        assert_succeeds(read_spec(*state, &error, &spec, "a{sv}", 0), &error);
        assert_null(spec->events);
}

static void test_wrong_types(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Spec *spec = NULL;

        assert_fails(read_spec(*state, &error, &spec, "a{sv}", 1, "events", "s", "sched"), &error,
                     ERROR_INVALID_ARGUMENT, "events: of type s, wanted is as");
        assert_fails(read_spec(*state, &error, &spec, "a{sv}", 1, "segments", "i", 3), &error, ERROR_INVALID_ARGUMENT,
                     "segments: of type i, wanted is t or u");
        assert_fails(read_spec(*state, &error, &spec, "a{sv}", 1, "clock", "o", "/mono"), &error,
                     ERROR_INVALID_ARGUMENT, "clock: of type o, wanted is s");
        assert_fails(read_spec(*state, &error, &spec, "a{sv}", 1, "children", "v", "b", 1), &error,
                     ERROR_INVALID_ARGUMENT, "children: of type v, wanted is b");
        assert_fails(read_spec(*state, &error, &spec, "a{sv}", 1, "evnets", "s", "x"), &error, ERROR_INVALID_ARGUMENT,
                     "events");
        assert_null(spec);
}

static void test_key_twice(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Spec *spec = NULL;

        assert_fails(read_spec(*state, &error, &spec, "a{sv}", 2, "children", "b", 1, "children", "b", 0), &error,
                     ERROR_INVALID_ARGUMENT, "children");
}

static void test_descriptors(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP_CLOSE int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_succeeds(read_spec(*state, &error, &spec, "a{sv}", 2, "output", "h", fd, "pidfds", "ah", 2, fd, fd),
                        &error);
        /* Copies of its own, which outlive the message. */
        assert_true(spec->output >= 0 && spec->output != fd);
        assert_int_equal(spec->pidfds.n_fds, 2);
        assert_true(fcntl(spec->output, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(spec->pidfds.fds[1], F_GETFD) & FD_CLOEXEC);
}

/* An array of just as many entries as a key takes, and of one more. */
static int read_events(Fixture *f, Error *error, Spec **ret, size_t n) {
        sd_bus_message *message = NULL;
        int r;

        assert_true(sd_bus_message_new_signal(f->bus, &message, "/a", "a.b", "C") >= 0);
        assert_true(sd_bus_message_open_container(message, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_open_container(message, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(message, "s", "events") >= 0);
        assert_true(sd_bus_message_open_container(message, 'v', "as") >= 0);
        assert_true(sd_bus_message_open_container(message, 'a', "s") >= 0);
        for (size_t i = 0; i < n; i++)
                assert_true(sd_bus_message_append(message, "s", "sched") >= 0);
        for (int i = 0; i < 4; i++)
                assert_true(sd_bus_message_close_container(message) >= 0);
        assert_true(sd_bus_message_seal(message, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(message, 1) >= 0);
        r = bus_spec_read(message, error, ret);
        sd_bus_message_unref(message);
        return r;
}

static void test_limits(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;
        Spec *none = NULL;

        assert_succeeds(read_events(*state, &error, &spec, SPEC_EVENTS_MAX), &error);
        assert_fails(read_events(*state, &error, &none, SPEC_EVENTS_MAX + 1), &error, ERROR_INVALID_ARGUMENT,
                     "events: more than 1024 entries");
        assert_null(none);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_types),   cmocka_unit_test(test_empty),
                cmocka_unit_test(test_wrong_types), cmocka_unit_test(test_key_twice),
                cmocka_unit_test(test_descriptors), cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
