/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "fuzz.h"

#include "core/task-status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        gid_t gids[] = { 1000 };
        const Identity owner = { .uid = 1000, .gids = gids, .n_gids = 1 };
        TaskStatus status;
        int r = task_status_parse(text, &status);

        FUZZ_CHECK(r == 0 || r == -EBADMSG);
        if (r < 0)
                return 0;
        FUZZ_CHECK(status.tgid >= 0);
        r = task_status_check(&status, 1, &owner, &error);
        fuzz_check_error(&error, r, 1);
        FUZZ_CHECK(r < 0 || (status.no_new_privs && status.uids[2] == 1000 && status.gids[2] == 1000));
        return 0;
}
