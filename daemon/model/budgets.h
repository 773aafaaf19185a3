/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Budgets of the model: core/quota.h with what is used counted from what there is. Nothing is booked that would have
 * to be given back.
 */

#include <json-c/json.h>

#include "core/quota.h"
#include "core/spec.h"
#include "model/model.h"

/* `wanted` more of it for a user: ERROR_QUOTA_EXCEEDED. Of buffer memory also what the machine has available. */
int manager_check_budget(const Manager *manager, Budget budget, uid_t uid, uint64_t wanted, Error *error);

/* All that a run of the session by this spec takes, beside what it has, but for its buffers, which source_new() asks
 * for: histograms, probes, and where it writes to the store, room there that nobody could be asked to give. */
int manager_check_run(const Manager *manager, const Session *session, const Spec *spec, Error *error);

/* A session has recorded more. Looks for room in the store, and ends the session, with a notice, when its owner has
 * all that the budgets of disk or segments allow and nothing that could be deleted for it; of all that there may be,
 * whoever has most ends. */
void manager_check_growth(Session *session);

/* One request of a user, or ERROR_QUOTA_EXCEEDED; root has as many as it likes. `changes`: it makes the daemon signal
 * something. */
int manager_check_request(Manager *manager, uid_t uid, bool changes, Error *error);
/* A signal about what a user has goes out to all. */
void manager_count_signal(Manager *manager, uid_t uid);

/* A JSON array: of each budget what is used and the limit, in all and of one user. -ENOMEM. */
int manager_describe_budgets(const Manager *manager, uid_t uid, struct json_object **ret);
