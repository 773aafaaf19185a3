/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Lease: what the kernel has only once, lent to one session at a time: the top-level trace buffer, for tracers
 * that cannot run in an instance, and the settings that hold for all instances (set_graph_function and its like).
 * It is the only part that changes something outside of the daemon's instances.
 *
 * What will be changed is read first and kept in a file, on the disk before the kernel is changed, and restored at
 * the end; after a crash by the next daemon. The folder of the file is locked while something is lent, so that two
 * daemons do not lend the same.
 *
 * Life cycle: lease_new(); lease_restore_stale() once; lease_claim() and lease_release() for each session;
 * lease_free(). Threads: one, the kernel worker's, after lease_new().
 */

#include <stdbool.h>

#include "core/error.h"
#include "core/lease-state.h"

typedef struct Lease Lease;
typedef struct LeaseClaim LeaseClaim;

/* `directory` is made when something is lent. */
int lease_new(const char *directory, Lease **ret);
/* What is lent stays as it is in the kernel, for the next start. */
void lease_free(Lease *lease);
DEFINE_POINTER_CLEANUP(Lease, lease_free);

/* Restores what a killed daemon had lent. *ret_holder is NULL when there was nothing, or the name of its session,
 * which the caller frees. */
int lease_restore_stale(Lease *lease, Error *error, char **ret_holder);

typedef struct LeaseRequest {
        const char *holder;     /* name of the session, for others who ask */
        const char *purpose;    /* what is lent, as the subject of a sentence */
        const char *key;        /* those with equal keys can have it together; NULL: this one alone */
        char *const *files;     /* below the tracing directory; what must be restored last stands first. Those that
                                 * the kernel does not have are passed over */
        const char *switch_off; /* a file that will come, and gets "0" before the others are restored; or NULL */
        int (*check)(Error *error); /* whether somebody else uses it; called before anything else is done */
} LeaseRequest;

/* ERROR_BUSY with the holder's name. */
int lease_claim(Lease *lease, const LeaseRequest *request, Error *error, LeaseClaim **ret);
/* Whether nobody else has it, so that the settings are to be written. */
bool lease_claim_is_first(const LeaseClaim *claim);
/* Restores everything when it was the last one; frees the claim, also on failure. NULL: nothing. */
int lease_release(LeaseClaim *claim);
/* Frees it and leaves the kernel as it is. */
void lease_claim_free(LeaseClaim *claim);
