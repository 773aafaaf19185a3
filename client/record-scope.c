/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/record-scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/spec.h"
#include "core/strv.h"

bool record_scope_may_be_self(const SpecArgs *args, const Globals *globals, bool has_program) {
        return !args->scope && geteuid() != 0 && !globals->embedded && !globals->host &&
               (has_program || args->n_pids > 0);
}

int record_scope_default_events(SpecArgs *args) {
        static const char *const events[] = {
                "syscalls",
                "sched:sched_process_exec",
                "sched:sched_process_exit",
                "sched:sched_process_fork",
                "signal:signal_deliver",
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(events); i++)
                r = strv_append(&args->events, events[i]);
        return r;
}

static bool is_privileged(const char *path) {
        struct stat st;

        return stat(path, &st) >= 0 && S_ISREG(st.st_mode) &&
               ((st.st_mode & S_ISUID) || (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) ||
                getxattr(path, "security.capability", NULL, 0) > 0);
}

void record_scope_note_privileges(const char *program) {
        CLEANUP(strv_freep) char **directories = NULL;
        CLEANUP_FREE char *path = NULL;

        if (strchr(program, '/'))
                path = strdup(program);
        else if (strv_split(getenv("PATH") ?: "/bin:/usr/bin", ":", &directories) >= 0)
                for (size_t i = 0; directories && directories[i]; i++) {
                        free(path);
                        if (asprintf(&path, "%s/%s", directories[i], program) < 0)
                                path = NULL;
                        if (path && access(path, X_OK) >= 0)
                                break;
                }
        if (path && is_privileged(path))
                fprintf(stderr,
                        "Note: %s would run with the rights of another user, and is recorded without them; "
                        "--scope=system records it with them.\n",
                        path);
}
