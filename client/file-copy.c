/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/file-copy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktraced/cleanup.h"

#define CHUNK (256U << 10)

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

/* Copies [offset, end), or less when the file is shorter. */
static int copy_range(int from, int to, off_t offset, off_t end, char *buffer) {
        while (offset < end) {
                off_t wanted = end - offset < (off_t) CHUNK ? end - offset : (off_t) CHUNK;
                ssize_t n = pread(from, buffer, (size_t) wanted, offset);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                r = write_all(to, buffer, (size_t) n);
                if (r < 0)
                        return r;
                offset += n;
        }
        return 0;
}

static off_t size_of(int fd) {
        struct stat st;

        return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

int file_copy(int from, int to) {
        CLEANUP_FREE char *buffer = malloc(CHUNK);
        off_t size = size_of(from);

        if (!buffer)
                return -ENOMEM;
        return size < 0 ? (int) size : copy_range(from, to, 0, size, buffer);
}

int file_copy_sparse(int from, int to) {
        CLEANUP_FREE char *buffer = malloc(CHUNK);
        off_t size = size_of(from), data, hole = 0;

        if (!buffer)
                return -ENOMEM;
        if (size < 0)
                return (int) size;
        while ((data = lseek(from, hole, SEEK_DATA)) >= 0 && data < size) {
                int r;

                hole = lseek(from, data, SEEK_HOLE);
                if (hole < 0 || lseek(to, data, SEEK_SET) < 0)
                        return -errno;
                r = copy_range(from, to, data, hole < size ? hole : size, buffer);
                if (r < 0)
                        return r;
        }
        if (data < 0 && errno != ENXIO)
                return -errno;
        return ftruncate(to, size) < 0 ? -errno : 0;
}
