/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Histogram: the text of an event's hist file (Documentation/trace/histogram.rst, 5.15 to 6.12) as JSON:
 *
 *   [ { "trigger": "hist:keys=...", "keys": ["common_pid"], "hits": N, "entries": N, "dropped": N,
 *       "rows": [ { "key": { "common_pid": "bash [3045]" }, "values": { "hitcount": N },
 *                   "tracked": [ { "max": N, "saved": { "next_comm": "bash" } } ] } ] } ]
 *
 * with an element in "tracked" for each onmax ("max") and onchange ("changed") that the histogram has, and what its
 * save() kept. All is in the order of the kernel, one element for each histogram of the event. What is a number is
 * one; a value with a percentage or a bar ("vals=...percent", ".graph") is text. A stack trace is an array of lines.
 */

#include <json-c/json.h>

/* -EINVAL when it has no histogram. The caller owns the result. */
int histogram_text_to_json(const char *text, struct json_object **ret);
