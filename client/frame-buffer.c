/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/frame-buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE (2 * (sizeof(StreamFrame) + STREAM_FRAME_MAX))

void frame_buffer_clear(FrameBuffer *buffer) {
        free(buffer->data);
        *buffer = (FrameBuffer){ 0 };
}

int frame_buffer_read(FrameBuffer *buffer, int fd) {
        ssize_t n;

        if (!buffer->data) {
                buffer->data = malloc(BUFFER_SIZE);
                if (!buffer->data)
                        return -ENOMEM;
        }
        /* What is left is less than a frame. */
        memmove(buffer->data, buffer->data + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
        n = read(fd, buffer->data + buffer->end, BUFFER_SIZE - buffer->end);
        if (n < 0)
                return -errno;
        buffer->end += (size_t) n;
        return n > 0;
}

int frame_buffer_next(FrameBuffer *buffer, StreamFrame *ret, const void **ret_data) {
        size_t n = buffer->end - buffer->begin;
        StreamFrame frame;

        if (n < sizeof(frame))
                return 0;
        memcpy(&frame, buffer->data + buffer->begin, sizeof(frame));
        if (frame.size > STREAM_FRAME_MAX)
                return -EBADMSG;
        if (n - sizeof(frame) < frame.size)
                return 0;
        *ret = frame;
        *ret_data = buffer->data + buffer->begin + sizeof(frame);
        buffer->begin += sizeof(frame) + frame.size;
        return 1;
}

bool frame_buffer_is_cut(const FrameBuffer *buffer) {
        return buffer->end > buffer->begin;
}
