/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ktraced-render: turns a stream's pages, on standard input, into the lines of `ktracectl show`, on standard output.
 *
 * The daemon starts one for each client that asked for text (capture/stream-relay.h), so that what was recorded is
 * not decoded where it could bring the daemon down. It is not for people.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/confine.h"
#include "client/follow-stream.h"

/* Where the calls are not known, being a process of its own must do. */
static int confine(void) {
        int r = confine_process();

        return r == -ENOTSUP ? 0 : r;
}

int main(void) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        const FollowOptions options = { .report = REPORT_OPTIONS_INIT, .head_read = confine };
        volatile FollowTotals totals = { 0 };
        volatile DecodePhase phase;
        int r;

        (void) signal(SIGPIPE, SIG_IGN);
        (void) setrlimit(RLIMIT_CORE, &(struct rlimit){});
        (void) prctl(PR_SET_DUMPABLE, 0);
        r = follow_stream(&options, STDIN_FILENO, STDOUT_FILENO, -1, &totals, &phase, &error);
        _exit(r < 0 && r != -EPIPE ? EXIT_FAILURE : EXIT_SUCCESS);
}
