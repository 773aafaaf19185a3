/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The verb show: prints the events of a session as they are recorded, out of the stream that the daemon gives
 * (ktraced/stream-frame.h). Decoding and printing is done in a child process, as by report.h.
 *
 * It ends when the stream does, at SIGINT, SIGTERM and SIGHUP, when nobody reads the output any more, and at the
 * limits of the options; whatever has come until then is printed, in order.
 */

#include <stdint.h>
#include <stdio.h>

#include "client/report.h"

typedef struct FollowOptions {
        ReportOptions report; /* its source is a session; `first` ends it; the rest as there */
        uint64_t duration;    /* usec; 0: no limit */
        /* Called in the child before anything that was recorded is decoded, if it is there. 0 or -errno. */
        int (*head_read)(void);
} FollowOptions;

void follow_options_clear(FollowOptions *options);

/* What was seen and what was not. */
typedef struct FollowTotals {
        uint64_t printed;                 /* events */
        uint64_t lost_events, lost_pages; /* of the stream; the session has them */
} FollowTotals;

/* `fd`: of the stream; borrowed. `out` must have a descriptor. The three signals are blocked afterwards. *ret_totals
 * is filled in any case. */
int follow_run(const FollowOptions *options, int fd, FILE *out, FollowTotals *ret_totals, Error *error);
