/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * StreamFrame: what Session.OpenStream sends with format "pages", see ktraced(8).
 *
 * In the byte order of the host: frames, each a StreamFrame and `size` bytes. The first ones are STREAM_HEAD, which
 * together are a trace.dat file without events; then the others come in any order. Readers pass over types that they
 * do not know.
 */

#include <stdint.h>

typedef enum StreamFrameType {
        STREAM_HEAD = 1,  /* the next bytes of a trace.dat file; one of size 0 ends it */
        STREAM_PAGE = 2,  /* a page of the kernel's ring buffer, or the part of it that is filled */
        STREAM_LOST = 3,  /* StreamLost: what this reader missed of the CPU since its last page */
        STREAM_COMMS = 4, /* names of tasks that are new or changed, in the form of saved_cmdlines */
        STREAM_SYNC = 5,  /* all that was recorded before the previous one was sent is there, or is counted as lost */
} StreamFrameType;

#define STREAM_FRAME_MAX 65536U /* bytes of data; a page of the kernel's buffer is not larger */

typedef struct StreamFrame {
        uint32_t type;
        uint32_t size; /* of what follows */
        uint32_t cpu;  /* number of the CPU; 0 where there is none */
        uint32_t reserved;
} StreamFrame;

typedef struct StreamLost {
        uint64_t pages;
        uint64_t events; /* in those pages */
} StreamLost;
