/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/frame-buffer.h"
#include "ktraced/cleanup.h"

static void put(int fd, uint32_t type, const void *data, uint32_t size) {
        StreamFrame frame = { .type = type, .size = size, .cpu = 3 };

        assert_int_equal(write(fd, &frame, sizeof(frame)), sizeof(frame));
        assert_int_equal(write(fd, data, size), size);
}

static void expect(FrameBuffer *buffer, uint32_t type, const char *text) {
        StreamFrame frame;
        const void *data;

        assert_int_equal(frame_buffer_next(buffer, &frame, &data), 1);
        assert_int_equal(frame.type, type);
        assert_int_equal(frame.cpu, 3);
        assert_int_equal(frame.size, strlen(text));
        assert_memory_equal(data, text, frame.size);
}

static void frames_come_whole(void **state) {
        CLEANUP(frame_buffer_clear) FrameBuffer buffer = { 0 };
        StreamFrame frame;
        const void *data;
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(frame_buffer_next(&buffer, &frame, &data), 0);
        put(fds[1], STREAM_COMMS, "1 one\n", 6);
        put(fds[1], STREAM_SYNC, "", 0);
        put(fds[1], 77, "of a later version", 18);
        assert_int_equal(frame_buffer_read(&buffer, fds[0]), 1);
        expect(&buffer, STREAM_COMMS, "1 one\n");
        expect(&buffer, STREAM_SYNC, "");
        expect(&buffer, 77, "of a later version");
        assert_int_equal(frame_buffer_next(&buffer, &frame, &data), 0);
        assert_false(frame_buffer_is_cut(&buffer));
        assert_int_equal(close(fds[1]), 0);
        assert_int_equal(frame_buffer_read(&buffer, fds[0]), 0);
        assert_int_equal(close(fds[0]), 0);
}

/* However they are cut on the way. */
static void frames_come_in_pieces(void **state) {
        CLEANUP(frame_buffer_clear) FrameBuffer buffer = { 0 };
        StreamFrame frame = { .type = STREAM_COMMS, .size = 5, .cpu = 3 };
        char bytes[2 * (sizeof(frame) + 5)];
        const void *data;
        int fds[2];

        for (size_t i = 0; i < 2; i++) {
                memcpy(bytes + i * sizeof(bytes) / 2, &frame, sizeof(frame));
                memcpy(bytes + i * sizeof(bytes) / 2 + sizeof(frame), "12345", 5);
        }
        assert_int_equal(pipe(fds), 0);
        for (size_t i = 0; i < sizeof(bytes); i++) {
                assert_int_equal(write(fds[1], bytes + i, 1), 1);
                assert_int_equal(frame_buffer_read(&buffer, fds[0]), 1);
                if ((i + 1) % (sizeof(bytes) / 2) == 0)
                        expect(&buffer, STREAM_COMMS, "12345");
                else
                        assert_true(frame_buffer_is_cut(&buffer));
                assert_int_equal(frame_buffer_next(&buffer, &frame, &data), 0);
        }
        assert_int_equal(close(fds[1]), 0);
        assert_int_equal(close(fds[0]), 0);
}

static void one_of_the_largest_size_fits(void **state) {
        static char large[STREAM_FRAME_MAX];
        CLEANUP(frame_buffer_clear) FrameBuffer buffer = { 0 };
        StreamFrame head = { .type = STREAM_PAGE, .size = sizeof(large) }, frame;
        const void *data;
        int fds[2], r;

        memset(large, 'x', sizeof(large));
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(write(fds[1], &head, sizeof(head)), sizeof(head));
        for (size_t done = 0; done < sizeof(large); done += sizeof(large) / 16) {
                assert_int_equal(write(fds[1], large + done, sizeof(large) / 16), sizeof(large) / 16);
                assert_int_equal(frame_buffer_read(&buffer, fds[0]), 1);
        }
        assert_int_equal(frame_buffer_next(&buffer, &frame, &data), 1);
        assert_int_equal(frame.size, sizeof(large));
        assert_memory_equal(data, large, sizeof(large));

        head.size = sizeof(large) + 1;
        assert_int_equal(write(fds[1], &head, sizeof(head)), sizeof(head));
        assert_int_equal(frame_buffer_read(&buffer, fds[0]), 1);
        r = frame_buffer_next(&buffer, &frame, &data);
        assert_int_equal(r, -EBADMSG);
        assert_int_equal(close(fds[1]), 0);
        assert_int_equal(close(fds[0]), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_come_whole),
                cmocka_unit_test(frames_come_in_pieces),
                cmocka_unit_test(one_of_the_largest_size_fits),
        };

        return cmocka_run_group_tests_name("frame-buffer", tests, NULL, NULL);
}
