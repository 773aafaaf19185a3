/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "client/elf-symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_CLOSE int fd = memfd_create("elf", MFD_CLOEXEC);
        uint64_t offset = 0;
        int r;

        FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size);
        r = elf_symbol_find(fd, "/nonexistent", "main", &error, &offset);
        FUZZ_CHECK((r < 0) == (error.code != ERROR_NONE));
        /* What is found is code. */
        FUZZ_CHECK(r < 0 || elf_symbol_check_code(fd, "/nonexistent", offset, NULL) == 0);
        return 0;
}
