/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/frame-buffer.h"

/* However it is read, the frames are what stands in the input, one after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(frame_buffer_clear) FrameBuffer buffer = { 0 };
        CLEANUP_CLOSE int fd = memfd_create("fuzz", MFD_CLOEXEC);
        size_t at = 0;
        int r = 0;

        FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size && lseek(fd, 0, SEEK_SET) == 0);
        while (r >= 0 && frame_buffer_read(&buffer, fd) > 0) {
                const void *content;
                StreamFrame frame;

                while ((r = frame_buffer_next(&buffer, &frame, &content)) > 0) {
                        FUZZ_CHECK(frame.size <= STREAM_FRAME_MAX && sizeof(frame) + frame.size <= size - at);
                        FUZZ_CHECK(memcmp(data + at, &frame, sizeof(frame)) == 0);
                        FUZZ_CHECK(memcmp(data + at + sizeof(frame), content, frame.size) == 0);
                        at += sizeof(frame) + frame.size;
                }
        }
        FUZZ_CHECK(r == 0 || r == -EBADMSG);
        FUZZ_CHECK(frame_buffer_is_cut(&buffer) == (at < size));
        return 0;
}
