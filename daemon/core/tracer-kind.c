/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/tracer-kind.h"

#include <string.h>

#include "ktraced/cleanup.h"

TracerKind tracer_kind(const char *tracer) {
        /* The struct tracer in kernel/trace/trace_*.c and blktrace.c, 5.15 to 6.18. */
        static const struct {
                const char *name;
                TracerKind kind;
        } kinds[] = {
                { "nop", TRACER_NONE },
                { "function", TRACER_FUNCTIONS },
                { "function_graph", TRACER_FUNCTIONS },
                { "wakeup", TRACER_LATENCY },
                { "wakeup_rt", TRACER_LATENCY },
                { "wakeup_dl", TRACER_LATENCY },
                { "irqsoff", TRACER_LATENCY },
                { "preemptoff", TRACER_LATENCY },
                { "preemptirqsoff", TRACER_LATENCY },
                { "hwlat", TRACER_OTHER },
                { "osnoise", TRACER_OTHER },
                { "timerlat", TRACER_OTHER },
                { "blk", TRACER_OTHER },
                { "branch", TRACER_OTHER },
                { "mmiotrace", TRACER_OTHER },
        };

        if (!tracer)
                return TRACER_NONE;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(kinds[i].name, tracer) == 0)
                        return kinds[i].kind;
        return TRACER_UNKNOWN;
}
