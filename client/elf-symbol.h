/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ElfSymbol: where a function of a program or shared library is in its file, for uprobes. By libelf, from the
 * file's own symbol tables, and from a separate file with debugging symbols where there is one
 * (/usr/lib/debug/.build-id, or .gnu_debuglink beside the file and below /usr/lib/debug).
 */

#include <stdint.h>

#include "core/error.h"

/* `fd`: of the file; `path`: for messages, and to look beside it. `symbol` may have a version
 * ("malloc@GLIBC_2.2.5"); without one it is what a program linked today would get. Offsets are those of the code's
 * bytes in the file. ERROR_INVALID_ARGUMENT: it is no ELF file, has no symbol of that name (near ones are suggested,
 * and it is said when it is stripped), or one that is no function with code of its own. */
int elf_symbol_find(int fd, const char *path, const char *symbol, Error *error, uint64_t *ret_offset);

/* Is there code at `offset` in the file? The kernel takes any, and a probe on what is never executed would say
 * nothing. ERROR_INVALID_ARGUMENT. */
int elf_symbol_check_code(int fd, const char *path, uint64_t offset, Error *error);
