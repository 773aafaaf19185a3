/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/output-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int output_file_check(int fd, Error *error) {
        struct statx st;
        int flags, seals;

        flags = fcntl(fd, F_GETFL);
        if (flags < 0)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output is not an open descriptor");
        if (flags & O_PATH)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output was opened with O_PATH");
        if ((flags & O_ACCMODE) != O_RDWR)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output is not open for both reading and writing");
        if (flags & O_APPEND)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output was opened with O_APPEND");

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output cannot be looked at");
        if (!S_ISREG(st.stx_mode))
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output is not a regular file");

        /* EINVAL: a file system without seals. */
        seals = fcntl(fd, F_GET_SEALS);
        if (seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)))
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The output is sealed against changes");
        return 0;
}
