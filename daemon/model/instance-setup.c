/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/instance-setup.h"

#include "kernel/histogram-set.h"
#include "kernel/synthetic.h"
#include "kernel/trigger-set.h"

/* What the session defines for itself. */
static int set_up_own(InstanceSetup *setup, Error *error) {
        const char *group = setup->probes ? probe_set_group(setup->probes) : NULL;
        int r;

        r = probe_set_enable(setup->probes, setup->instance, setup->spec, error);
        if (r >= 0)
                r = synthetic_set(setup->instance, setup->spec, error);
        if (r >= 0)
                r = trigger_set_apply(setup->instance, setup->spec, group, error);
        return r < 0 ? r : histogram_set_apply(setup->instance, setup->spec, group, error);
}

int instance_setup(InstanceSetup *setup, Error *error) {
        int r, instance, probes;

        r = instance_create(setup->name, error, &setup->instance);
        if (r >= 0 && spec_is_self(setup->spec))
                r = instance_limit_to(setup->instance, setup->owner, error);
        if (r >= 0)
                r = instance_lease(setup->instance, setup->lease, setup->holder, setup->spec, setup->selection,
                                   error);
        if (r >= 0)
                r = probe_set_new(setup->name, setup->spec, error, &setup->probes);
        if (r >= 0)
                r = instance_configure(setup->instance, setup->spec, setup->selection, error);
        if (r >= 0)
                r = set_up_own(setup, error);
        if (r >= 0)
                r = task_group_new(setup->spec, &setup->group);
        if (r >= 0 && setup->group)
                r = task_group_update(setup->group, setup->instance, error);
        if (r < 0)
                instance_setup_undo(setup, &instance, &probes);
        return r;
}

void instance_setup_undo(InstanceSetup *setup, int *ret_instance, int *ret_probes) {
        *ret_instance = setup->instance ? instance_destroy(STEAL_PTR(setup->instance)) : 0;
        *ret_probes = probe_set_destroy(STEAL_PTR(setup->probes));
        task_group_free(STEAL_PTR(setup->group));
}
