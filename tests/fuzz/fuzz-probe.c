/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size), *command = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(probe_clear) Probe probe = { 0 };
        char *list[] = { text, text, NULL };
        int r = probe_parse(text, &error, &probe);

        fuzz_check_error(&error, r, 3);
        FUZZ_CHECK(probes_check(list, SIZE_MAX, NULL) < 0);
        if (r < 0)
                return 0;
        FUZZ_CHECK(probe.name && *probe.name != '\0' && strlen(probe.name) <= PROBE_NAME_LENGTH);
        FUZZ_CHECK(probes_have(list, probe.name));
        FUZZ_CHECK(probe_format(&probe, "group", "/proc/self/fd/3", &command) == 0);
        /* One command, whatever was in the definition. */
        FUZZ_CHECK(!strchr(command, '\n'));
        return 0;
}
