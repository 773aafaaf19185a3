/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/follow.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "client/decode-child.h"
#include "client/exec-child.h"
#include "client/follow-stream.h"

typedef struct Follow {
        const FollowOptions *options;
        int fd;
        volatile FollowTotals *totals; /* shared with the child */
} Follow;

void follow_options_clear(FollowOptions *options) {
        report_options_clear(&options->report);
        options->duration = 0;
}

static int run(void *userdata, FILE *out, volatile DecodePhase *phase, Error *error) {
        const Follow *follow = userdata;
        CLEANUP_CLOSE int signal_fd = -1;
        int r;

        r = decode_open_signals(&signal_fd);
        if (r < 0)
                return error_set_errno(error, r, "cannot be followed");
        return follow_stream(follow->options, follow->fd, fileno(out), signal_fd, follow->totals, phase, error);
}

int follow_run(const FollowOptions *options, int fd, FILE *out, FollowTotals *ret_totals, Error *error) {
        Follow follow = { .options = options, .fd = fd };
        int r;

        *ret_totals = (FollowTotals){ 0 };
        r = exec_child_block_signals();
        if (r < 0)
                return error_set_errno(error, r, "cannot be followed");
        follow.totals = mmap(NULL, sizeof(*follow.totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (follow.totals == MAP_FAILED)
                return error_set_errno(error, -errno, "cannot be followed");
        r = decode_child_run(
                &(DecodeChild){
                        .run = run,
                        .userdata = &follow,
                        .filters = options->report.selection.filters,
                        .forward_signals = true,
                },
                out, error);
        *ret_totals = *follow.totals;
        (void) munmap((void *) follow.totals, sizeof(*follow.totals));
        return r;
}
