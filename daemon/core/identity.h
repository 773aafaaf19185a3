/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Identity: who somebody is to the kernel: the user, and the groups that are his. Plain data.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ktraced/cleanup.h"

typedef struct Identity {
        uid_t uid;
        gid_t *gids; /* the primary group and the supplementary ones, in any order; owned */
        size_t n_gids;
} Identity;

void identity_clear(Identity *identity);
/* -ENOMEM. */
int identity_copy(const Identity *identity, Identity *ret);
bool identity_has_group(const Identity *identity, gid_t gid);
