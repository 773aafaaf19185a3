/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * FollowStream: the records of a stream, those that are wanted, by time over all CPUs, as lines or JSON.
 *
 * CPUs are emptied one after the other, so that a record may come after later ones. STREAM_SYNC says up to where all
 * is there: when one comes, what came before the last one is complete, and is printed.
 *
 * Runs in the process that calls it; follow.h does so in a child.
 */

#include "client/decode-child.h"
#include "client/follow.h"

/* `signal_fd`: to end it as soon as it can be read; -1: none. Keeps *totals and *phase up to date. 0, -EPIPE when
 * nobody reads `out_fd` any more, or fills `error`. */
int follow_stream(const FollowOptions *options, int fd, int out_fd, int signal_fd, volatile FollowTotals *totals,
                  volatile DecodePhase *phase, Error *error);
