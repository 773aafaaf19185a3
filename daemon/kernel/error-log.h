/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The kernel's error_log: the reason behind an EINVAL (Documentation/trace/ftrace.rst, 5.2 and later).
 */

/* Pure: the newest entry of the log's text as one message, its caret line kept below the command it
 * points into and the time stamp taken off. -ENOENT when the text has no entry. */
int error_log_parse_last(const char *text, char **ret);
