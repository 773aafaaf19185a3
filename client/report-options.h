/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command lines of `ktracectl report` and `ktracectl show`, which have the same options to select. */

#include "client/follow.h"
#include "client/options.h"
#include "client/report.h"

/* Reads argv[1...], global options among them, into `ret`, which the caller frees with
 * report_options_clear(); the source is argv's. What is wrong, or the help, has been printed where the
 * result is not PARSE_GO_ON; *ret is untouched then. `open_segments` is left to the caller. */
ParseResult report_options_parse(Globals *globals, int argc, char *argv[], ReportOptions *ret);

/* The same, with follow_options_clear(). */
ParseResult show_options_parse(Globals *globals, int argc, char *argv[], FollowOptions *ret);
