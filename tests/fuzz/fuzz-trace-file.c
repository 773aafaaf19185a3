/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The look at a trace.dat file's skeleton, and not the libraries behind it, which do not withstand this. */

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "client/trace-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(trace_file_clear) TraceFile file = {};
        CLEANUP_CLOSE int fd = memfd_create("trace.dat", MFD_CLOEXEC);
        int r;

        FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size);
        r = trace_file_scan(fd, &error, &file);
        fuzz_check_error(&error, r, 1);
        if (r < 0) {
                FUZZ_CHECK(file.version == 0 && file.n_cpus == 0 && !file.clock);
                return 0;
        }
        FUZZ_CHECK(file.version == 6 || file.version == 7);
        FUZZ_CHECK(file.n_cpus > 0 && file.n_cpus <= TRACE_FILE_CPUS_MAX);
        (void) trace_file_has_time(&file);
        return 0;
}
