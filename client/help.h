/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The text of --help. */

#include <stdio.h>

void help_print(FILE *file);
