/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The unit or user whose tasks a source records: looked at again while it runs. For source.c only.
 */

#include "model/source.h"

/* Has the kernel worker look for new tasks every SOURCE_GROUP_INTERVAL, or less often when that would take more than
 * one part in SOURCE_GROUP_SHARE of a CPU, until source->group_timer is gone. */
#define SOURCE_GROUP_INTERVAL UINT64_C(500000) /* usec */
#define SOURCE_GROUP_SHARE 20U
int source_watch_group(Source *source);
