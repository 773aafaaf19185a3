/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * DecodeChild: a child process that decodes and prints, without the client's connections.
 *
 * What is recorded comes from anywhere, and libtracecmd and libtraceevent (1.3.1, 1.7.1) do not withstand hostile
 * data. Data on which the child dies become an error like any other, and what was printed up to there stays printed.
 */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/error.h"

/* What the child is at, for whoever watches it from another process. */
typedef enum DecodePhase {
        DECODE_READING,
        DECODE_COMPILING, /* the filter expressions; libtraceevent 1.7.1 dies on some incomplete ones */
} DecodePhase;

typedef struct DecodeChild {
        /* In the child: keeps *phase up to date. 0, -EPIPE when nobody reads `out` any more, or fills `error`. */
        int (*run)(void *userdata, FILE *out, volatile DecodePhase *phase, Error *error);
        void *userdata;
        char *const *filters; /* NULL terminated, for messages; or NULL */
        /* SIGINT, SIGTERM and SIGHUP, which the caller has blocked, are passed on to the child, where they are
         * blocked, too. Otherwise they end the child. */
        bool forward_signals;
} DecodeChild;

/* `out` must have a descriptor. A reader of it that goes away ends it without an error. */
int decode_child_run(const DecodeChild *child, FILE *out, Error *error);

/* With forward_signals, in the child: a signalfd(2) of them. */
int decode_open_signals(int *ret_fd);

/* In the child: SIGPROF after so much processor time, which is begun anew; 0: never. */
void decode_watch_stall(long seconds);
