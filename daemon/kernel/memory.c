/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/memory.h"

#include "kernel/kernel-text.h"
#include "ktraced/cleanup.h"

int memory_read(MemoryInfo *ret) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = kernel_text_read("/proc/meminfo", &text);
        return r < 0 ? r : memory_info_parse(text, ret);
}
