/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * FrameBuffer: the frames of ktraced/stream-frame.h out of a pipe, which gives them in pieces.
 *
 * Life cycle: zero-initialised is empty; frame_buffer_read() when there is something to read, then
 * frame_buffer_next() until it returns 0; frame_buffer_clear().
 */

#include <stdbool.h>
#include <stddef.h>

#include "ktraced/stream-frame.h"

typedef struct FrameBuffer {
        char *data; /* room for two frames of the largest size */
        size_t begin, end;
} FrameBuffer;

void frame_buffer_clear(FrameBuffer *buffer);
/* One read(2). 1; 0 at the end of the pipe; -errno. */
int frame_buffer_read(FrameBuffer *buffer, int fd);
/* 1 and the next frame, whose data stay until the next frame_buffer_read(); 0: more has to be read; -EBADMSG for one
 * that is longer than there are. */
int frame_buffer_next(FrameBuffer *buffer, StreamFrame *ret, const void **ret_data);
/* The end of the pipe would be within a frame. */
bool frame_buffer_is_cut(const FrameBuffer *buffer);
