/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "capture/store-private.h"

#define REMOVALS_MAX 3U

static int remove_files(const Store *store, const char *name) {
        CLEANUP_CLOSE int fd = -1;
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        struct dirent *entry;

        fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir)
                return -errno;
        (void) steal_fd(&fd);

        while ((errno = 0, entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                    unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
                        return -errno;
        return -errno;
}

/* Compression may begin a file, once, after the others were listed; it ends as soon as they are gone. */
int store_remove_directory(const Store *store, const char *name) {
        for (unsigned i = 0;; i++) {
                int r = remove_files(store, name);

                if (r < 0)
                        return r;
                if (unlinkat(store->fd, name, AT_REMOVEDIR) >= 0)
                        return 0;
                if (errno != ENOTEMPTY || i == REMOVALS_MAX)
                        return -errno;
        }
}

int store_delete_capture(Store *store, const char *capture_id, Error *error) {
        char hidden[STORE_ID_MAX + sizeof(HIDDEN_PREFIX)];
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = store_open_capture(store, capture_id, error, &fd);
        if (r < 0)
                return r;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return error_set(error, ERROR_WRONG_STATE, "Capture %s is still being written", capture_id);

        /* It is gone for everyone at once; what an interruption leaves of it, store_load() removes. */
        (void) snprintf(hidden, sizeof(hidden), HIDDEN_PREFIX "%s", capture_id);
        if (renameat(store->fd, capture_id, store->fd, hidden) < 0)
                return error_set_errno(error, -errno, "Failed to delete capture %s", capture_id);
        r = store_remove_directory(store, hidden);
        if (r < 0)
                return error_set_errno(error, r, "Failed to delete the files of capture %s", capture_id);
        return 0;
}
