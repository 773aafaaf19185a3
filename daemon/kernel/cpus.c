/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/cpus.h"

#include <string.h>

#include "kernel/kernel-text.h"

#define POSSIBLE_CPUS_PATH "/sys/devices/system/cpu/possible"

int cpus_possible(Error *error, CpuList *ret) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = kernel_text_read(POSSIBLE_CPUS_PATH, &text);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read " POSSIBLE_CPUS_PATH);
        text[strcspn(text, "\n")] = '\0';
        return cpu_list_parse(text, error, ret);
}
