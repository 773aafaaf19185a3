/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/colors.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/parse.h"
#include "ktraced/cleanup.h"

static const char *const sequences[] = {
        [COLOR_NONE] = "",
        [COLOR_HEADER] = "\033[4m",
        [COLOR_GOOD] = "\033[0;1;32m",
        [COLOR_WARNING] = "\033[0;1;33m",
        [COLOR_BAD] = "\033[0;1;31m",
        [COLOR_FAINT] = "\033[0;90m",
};
_Static_assert(ELEMENTSOF(sequences) == _COLOR_MAX, "a sequence for each colour");

bool colors_wanted(int fd) {
        const char *setting = getenv("SYSTEMD_COLORS"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
        bool wanted;

        if (setting && parse_boolean(setting, &wanted) >= 0)
                return wanted;
        if (setting && (strcmp(setting, "16") == 0 || strcmp(setting, "256") == 0 ||
                        strncmp(setting, "auto-", strlen("auto-")) == 0))
                return true;
        if (no_color && *no_color)
                return false;
        return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

const char *color_begin(bool colors, Color color) {
        return colors ? sequences[color] : "";
}

const char *color_end(bool colors, Color color) {
        return colors && color != COLOR_NONE ? "\033[0m" : "";
}

Color color_for_state(const char *state) {
        static const struct {
                const char *state;
                Color color;
        } states[] = {
                { "active", COLOR_GOOD },         { "starting", COLOR_WARNING }, { "stopping", COLOR_WARNING },
                { "interrupted", COLOR_WARNING }, { "failed", COLOR_BAD },
        };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (strcmp(state, states[i].state) == 0)
                        return states[i].color;
        return COLOR_NONE;
}
