/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * InstanceSetup: makes an instance that records what a spec says, with everything that is the spec's own: probes,
 * synthetic events, triggers, histograms, processes. Tracing is off. On the kernel worker.
 *
 * Life cycle: the caller fills in what is wanted, and takes over what was made, or removes it with
 * instance_setup_undo().
 */

#include "core/event.h"
#include "core/identity.h"
#include "core/spec.h"
#include "kernel/instance.h"
#include "kernel/probe-set.h"
#include "kernel/task-group.h"

typedef struct InstanceSetup {
        /* Borrowed. */
        const char *name;   /* of the instance, without prefix */
        const char *holder; /* what others are told when it leases something */
        Lease *lease;
        const Spec *spec; /* complete */
        const EventSelection *selection;
        const Identity *owner;
        /* Results. */
        Instance *instance;
        ProbeSet *probes; /* NULL: none */
        TaskGroup *group; /* likewise */
} InstanceSetup;

/* A failure leaves nothing in the kernel. */
int instance_setup(InstanceSetup *setup, Error *error);

/* Removes the instance, then the probes, from the kernel; what of these could not be is told apart. */
void instance_setup_undo(InstanceSetup *setup, int *ret_instance, int *ret_probes);
