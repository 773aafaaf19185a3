/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <errno.h>

#include "core/comm-map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *first = NULL, *second = NULL;
        CLEANUP(comm_map_freep) CommMap *map = NULL, *again = NULL;
        int r;

        FUZZ_CHECK(comm_map_new(&map) == 0 && comm_map_new(&again) == 0);
        r = comm_map_add_text(map, text);
        FUZZ_CHECK(r == 0 || (r == -ENOSPC && comm_map_size(map) == COMM_MAP_MAX));
        FUZZ_CHECK(comm_map_format(map, &first) == 0);
        FUZZ_CHECK(comm_map_add_text(again, first) == 0);
        FUZZ_CHECK(comm_map_size(again) == comm_map_size(map));
        FUZZ_CHECK(comm_map_format(again, &second) == 0);
        FUZZ_CHECK(strcmp(first, second) == 0);
        return 0;
}
