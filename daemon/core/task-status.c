/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/task-status.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

/* What systemd (254 and later) gives every login session (pam_systemd(8)); it changes no ids. */
#define HARMLESS_CAPABILITIES (UINT64_C(1) << CAP_WAKE_ALARM)

/* What stands behind "\nNAME:" up to the end of the line; NULL when there is no such line. */
static const char *find_line(const char *text, const char *name) {
        size_t length = strlen(name);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                if (*line == '\n')
                        line++;
                if (strncmp(line, name, length) == 0 && line[length] == ':')
                        return line + length + 1;
        }
        return NULL;
}

/* One number, with white space before it, and a tab, space, line break or the end behind it. */
static int read_number(const char **text, int base, uint64_t max, uint64_t *ret) {
        const char *start = *text + strspn(*text, " \t");
        char *end;
        uint64_t number;

        if (!((*start >= '0' && *start <= '9') || (base == 16 && *start >= 'a' && *start <= 'f')))
                return -EBADMSG;
        errno = 0;
        number = strtoull(start, &end, base);
        if (errno != 0 || number > max || !strchr(" \t\n", *end))
                return -EBADMSG;
        *text = end;
        *ret = number;
        return 0;
}

static int read_single(const char *text, const char *name, int base, uint64_t max, uint64_t *ret) {
        const char *line = find_line(text, name);

        return line ? read_number(&line, base, max, ret) : -EBADMSG;
}

static int read_ids(const char *text, const char *name, uint32_t ret[4]) {
        const char *line = find_line(text, name);
        uint64_t number;

        for (size_t i = 0; i < 4; i++) {
                int r = line ? read_number(&line, 10, UINT32_MAX, &number) : -EBADMSG;

                if (r < 0)
                        return r;
                ret[i] = (uint32_t) number;
        }
        return 0;
}

int task_status_parse(const char *text, TaskStatus *ret) {
        uint64_t tgid = 0, no_new_privs = 0;
        TaskStatus status = { 0 };
        const char *state = find_line(text, "State");
        int r;

        if (!state)
                return -EBADMSG;
        state += strspn(state, " \t");
        if (*state < 'A' || *state > 'z')
                return -EBADMSG;
        status.state = *state;
        r = read_single(text, "Tgid", 10, INT_MAX, &tgid);
        if (r == 0)
                r = read_ids(text, "Uid", status.uids);
        if (r == 0)
                r = read_ids(text, "Gid", status.gids);
        if (r == 0)
                r = read_single(text, "CapPrm", 16, UINT64_MAX, &status.capabilities);
        if (r == 0)
                r = read_single(text, "NoNewPrivs", 10, 1, &no_new_privs);
        if (r < 0)
                return r;
        status.tgid = (pid_t) tgid;
        status.no_new_privs = no_new_privs == 1;
        status.has_memory = find_line(text, "VmSize") != NULL;
        *ret = status;
        return 0;
}

int task_status_check(const TaskStatus *status, pid_t tid, const Identity *owner, Error *error) {
        for (size_t i = 0; i < 4; i++)
                if (status->uids[i] != owner->uid)
                        return error_set(error, ERROR_OUT_OF_SCOPE,
                                         "scope: task %d is not user %u in all of its user ids", tid,
                                         (unsigned) owner->uid);
        for (size_t i = 0; i < 4; i++)
                if (status->gids[i] != status->gids[0] || !identity_has_group(owner, status->gids[i]))
                        return error_set(error, ERROR_OUT_OF_SCOPE,
                                         "scope: the group ids of task %d are not one group of user %u", tid,
                                         (unsigned) owner->uid);
        if (status->capabilities & ~HARMLESS_CAPABILITIES)
                return error_set(error, ERROR_OUT_OF_SCOPE,
                                 "scope: task %d holds capabilities, and with these may become somebody else", tid);
        if (!status->no_new_privs)
                return error_set(error, ERROR_OUT_OF_SCOPE,
                                 "scope: task %d may become somebody else, since it has not set no_new_privs "
                                 "(prctl(2)); scope \"system\" can trace it, with the action "
                                 "org.ktraced1.trace-system",
                                 tid);
        return 0;
}
