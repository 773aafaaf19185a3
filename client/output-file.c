/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/output-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new file beside the one that it will replace, with that one's permissions. */
static int open_beside(OutputFile *file, const struct stat *st) {
        CLEANUP_FREE char *name = NULL;
        CLEANUP_CLOSE int fd = -1;

        if (asprintf(&name, "%s.XXXXXX", file->path) < 0)
                return -ENOMEM;
        fd = mkostemp(name, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        file->temporary = STEAL_PTR(name);
        file->fd = steal_fd(&fd);
        return fchmod(file->fd, st->st_mode & 0777) < 0 ? -errno : 0;
}

static int open_existing(OutputFile *file, const char *path, const struct stat *st, Error *error) {
        int r;

        if (!S_ISREG(st->st_mode))
                return error_set(error, ERROR_BAD_DESCRIPTOR, "%s is not a regular file", path);
        /* Through symbolic links, as opening it would. */
        file->path = realpath(path, NULL);
        if (!file->path)
                return error_set_errno(error, -errno, "Cannot open %s", path);
        r = open_beside(file, st);
        return r < 0 ? error_set_errno(error, r, "Cannot make a file beside %s", path) : 0;
}

int output_file_open(OutputFile *file, const char *path, Error *error) {
        struct stat st;

        if (stat(path, &st) >= 0)
                return open_existing(file, path, &st, error);
        if (errno != ENOENT)
                return error_set_errno(error, -errno, "Cannot open %s", path);

        file->path = strdup(path);
        if (!file->path)
                return error_set_errno(error, -ENOMEM, "Cannot open %s", path);
        file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        return file->fd < 0 ? error_set_errno(error, -errno, "Cannot create %s", path) : 0;
}

int output_file_keep(OutputFile *file, Error *error) {
        if (file->temporary) {
                if (rename(file->temporary, file->path) < 0)
                        return error_set_errno(error, -errno, "Cannot rename %s to %s", file->temporary, file->path);
                free(file->temporary);
                file->temporary = NULL;
        }
        file->kept = true;
        return 0;
}

void output_file_clear(OutputFile *file) {
        if (file->fd >= 0 && !file->kept)
                (void) unlink(file->temporary ?: file->path);
        closep(&file->fd);
        free(file->temporary);
        free(file->path);
        *file = OUTPUT_FILE_NONE;
}
