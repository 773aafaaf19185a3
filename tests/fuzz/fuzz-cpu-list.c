/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/cpu-list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *formatted = NULL, *mask = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(cpu_list_clear) CpuList list = { 0 }, again = { 0 };
        int r = cpu_list_parse(text, &error, &list);

        fuzz_check_error(&error, r, 1);
        if (r < 0)
                return 0;
        FUZZ_CHECK(list.n_cpus > 0);
        for (size_t i = 0; i < list.n_cpus; i++) {
                FUZZ_CHECK(list.cpus[i] <= CPU_LIST_CPU_MAX && (i == 0 || list.cpus[i - 1] < list.cpus[i]));
                FUZZ_CHECK(cpu_list_contains(&list, list.cpus[i]));
        }
        FUZZ_CHECK(cpu_list_format(&list, &formatted) == 0);
        FUZZ_CHECK(cpu_list_parse(formatted, NULL, &again) == 0);
        FUZZ_CHECK(again.n_cpus == list.n_cpus);
        FUZZ_CHECK(memcmp(again.cpus, list.cpus, list.n_cpus * sizeof(*list.cpus)) == 0);
        FUZZ_CHECK(cpu_list_format_mask(&list, &mask) == 0);
        return 0;
}
