/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/dynamic-events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "kernel/tracing-dir.h"
#include "ktraced/cleanup.h"

/* Takes all kinds (4.20 and later). It is opened without O_TRUNC, which would remove everybody's. */
#define DYNAMIC_EVENTS "dynamic_events"

int dynamic_events_write(const char *command) {
        errno = 0;
        return tracefs_instance_file_append(NULL, DYNAMIC_EVENTS, command) < 0 ? -(errno ? errno : EIO) : 0;
}

int dynamic_events_remove(const char *system, const char *name) {
        CLEANUP_FREE char *command = NULL;
        int r;

        if (asprintf(&command, "-:%s/%s", system, name) < 0) {
                command = NULL;
                return -ENOMEM;
        }
        r = dynamic_events_write(command);
        /* Another daemon that has just started may have been faster: the instance is gone already. */
        return r == -ENOENT ? 0 : r;
}

int dynamic_events_remove_stale(DynamicEventsParse parse, unsigned *ret_n_removed) {
        CLEANUP_FREE char *text = NULL;
        unsigned n_removed = 0;
        int r;

        r = tracing_dir_read_text(DYNAMIC_EVENTS, &text);
        if (r < 0 && r != -ENOENT)
                return r;
        for (const char *line = r < 0 ? "" : text; *line != '\0';
             line += strcspn(line, "\n"), line += *line == '\n') {
                CLEANUP_FREE char *system = NULL, *name = NULL;

                r = parse(line, &system, &name);
                if (r < 0)
                        return r;
                if (r > 0 && dynamic_events_remove(system, name) >= 0)
                        n_removed++;
        }
        *ret_n_removed = n_removed;
        return 0;
}
