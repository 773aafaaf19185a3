/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SessionEstimate: what a session would cost in the CPUs' time, memory and disk, from what was measured. Plain data.
 */

#include "core/event-rates.h"

typedef struct SessionEstimate {
        const EventRates *rates; /* borrowed */
        bool is_ring;
        uint64_t buffer_size;                   /* bytes for each CPU */
        uint64_t buffer_memory;                 /* bytes, on all CPUs */
        uint64_t max_event_rate, max_cpu_share; /* its budget: a second; permille; 0: none */
} SessionEstimate;

/* Bytes a second that are written, before compression: pages of the kernel, whose heads are little. 0 of a ring. */
uint64_t session_estimate_disk_rate(const SessionEstimate *estimate);

/* How far a ring would reach back, usec; 0: nothing was recorded, or it is no ring. */
uint64_t session_estimate_window(const SessionEstimate *estimate);

/* It would be more than its budget. */
bool session_estimate_is_over(const SessionEstimate *estimate);

/* JSON text: what event_rates_to_json() has, and mode, buffer_size, buffer_memory, disk_rate, window, max_event_rate,
 * max_cpu_share, over. -ENOMEM. */
int session_estimate_describe(const SessionEstimate *estimate, char **ret);
