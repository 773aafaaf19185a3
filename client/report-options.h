/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line of `ktracectl report`. */

#include "client/options.h"
#include "client/report.h"

/* Reads argv[1...], global options among them, into `ret`, which the caller frees with
 * report_options_clear(); the source is argv's. What is wrong, or the help, has been printed where the
 * result is not PARSE_GO_ON; *ret is untouched then. `open_segments` is left to the caller. */
ParseResult report_options_parse(Globals *globals, int argc, char *argv[], ReportOptions *ret);
