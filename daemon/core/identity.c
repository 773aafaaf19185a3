/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/identity.h"

#include <errno.h>
#include <string.h>

void identity_clear(Identity *identity) {
        free(identity->gids);
        *identity = (Identity){ 0 };
}

int identity_copy(const Identity *identity, Identity *ret) {
        gid_t *gids = calloc(identity->n_gids + 1, sizeof(*gids));

        if (!gids)
                return -ENOMEM;
        if (identity->n_gids > 0)
                memcpy(gids, identity->gids, identity->n_gids * sizeof(*gids));
        *ret = (Identity){ .uid = identity->uid, .gids = gids, .n_gids = identity->n_gids };
        return 0;
}

bool identity_has_group(const Identity *identity, gid_t gid) {
        for (size_t i = 0; i < identity->n_gids; i++)
                if (identity->gids[i] == gid)
                        return true;
        return false;
}
