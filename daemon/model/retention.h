/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Making room in the store: core/retention.h chooses, this deletes.
 */

#include "core/retention.h"
#include "model/model.h"

/* For the model's own parts: something was added, or the limits have changed. Looks at the file system on the store's
 * worker, then deletes what has to go; several calls at a time are one. */
void manager_enforce_retention(Manager *manager);

/* Deletes now what these limits leave no room for. Result: uint64_t *, the bytes that the captures had which were
 * deleted. One that cannot be deleted is a notice. */
void manager_vacuum(Manager *manager, const RetentionLimits *limits, ModelDone done, void *userdata);

/* For the manager's end, once no worker runs any more: drops those that were not finished, without an answer. */
void manager_free_vacuums(Manager *manager);
