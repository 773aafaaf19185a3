/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Colours of the terminal. They are used when standard output is a terminal that has them; $SYSTEMD_COLORS
 * (a boolean, or a number of colours, systemd's manner) decides for or against, then $NO_COLOR
 * (https://no-color.org) decides against.
 */

#include <stdbool.h>

typedef enum Color {
        COLOR_NONE,
        COLOR_HEADER, /* underlined */
        COLOR_GOOD,
        COLOR_WARNING,
        COLOR_BAD,
        COLOR_FAINT,
        _COLOR_MAX,
} Color;

/* To be asked before a pager takes the place of the terminal. */
bool colors_wanted(int fd);

/* The sequences that begin and end a colour; "" for COLOR_NONE and when `colors` is false. */
const char *color_begin(bool colors, Color color);
const char *color_end(bool colors, Color color);

/* How a state of a session or capture is shown. */
Color color_for_state(const char *state);
