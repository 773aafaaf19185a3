/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Segments that a crash left, and worse: repairing and compressing them. */

#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_CLOSE int fd = memfd_create("trace.dat", MFD_CLOEXEC), to = memfd_create("compressed", MFD_CLOEXEC);
        uint64_t bytes = 0;
        int r;

        FUZZ_CHECK(fd >= 0 && to >= 0 && write(fd, data, size) == (ssize_t) size);
        r = segment_repair(fd, &bytes);
        FUZZ_CHECK(r == 0 || bytes == 0);
        r = segment_compress(fd, to, NULL, NULL, &bytes);
        if (r < 0)
                return 0;
        FUZZ_CHECK(segment_is_compressed(to) && !segment_is_compressed(fd));
        FUZZ_CHECK(lseek(to, 0, SEEK_END) == (off_t) bytes);
        FUZZ_CHECK(segment_repair(to, NULL) == -EBADMSG);
        return 0;
}
