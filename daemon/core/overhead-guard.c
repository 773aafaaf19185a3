/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/overhead-guard.h"

#include <stddef.h>
#include <string.h>

#include "ktraced/cleanup.h"

/* A rate over less is none, usec. */
#define LOOK_MIN UINT64_C(400000)
/* Of a longer time between two looks only the last part counts for the grace time: a burst may have been anywhere in
 * it. */
#define LOOK_USUAL UINT64_C(1000000)
/* Far more than an event costs anywhere, nsec. */
#define COST_MAX 5000U
/* The part of a limit from which on it is looked at often. */
#define NEAR 2U

static const char *const policy_names[] = {
        [OVERHEAD_WARN] = "warn",
        [OVERHEAD_THIN] = "thin",
        [OVERHEAD_STOP] = "stop",
};

static bool is_over(const OverheadGuard *guard, uint64_t part) {
        return (guard->max_rate > 0 && guard->rate > guard->max_rate / part) ||
               (guard->max_share > 0 && guard->share > guard->max_share / part);
}

OverheadState overhead_guard_look(OverheadGuard *guard, uint64_t total, uint64_t now) {
        const uint64_t passed = now - guard->time;

        if (guard->begun ? total >= guard->total && passed < LOOK_MIN : guard->time > 0 && passed < LOOK_USUAL)
                return guard->state;
        if (!guard->begun || total < guard->total) {
                guard->begun = true;
                guard->rate = guard->share = 0;
                guard->state = OVERHEAD_WITHIN;
        } else {
                guard->rate = rate_per_second(total - guard->total, passed);
                guard->share = overhead_share(guard->rate, guard->cost, guard->n_cpus);
                if (!is_over(guard, 1))
                        guard->state = OVERHEAD_WITHIN;
                else if (guard->state == OVERHEAD_WITHIN) {
                        guard->state = OVERHEAD_OVER;
                        guard->over_since = now - (passed < LOOK_USUAL ? passed : LOOK_USUAL);
                }
                if (guard->state == OVERHEAD_OVER && now - guard->over_since >= guard->grace)
                        guard->state = OVERHEAD_EXCEEDED;
        }
        guard->total = total;
        guard->time = now;
        return guard->state;
}

void overhead_guard_set_cost(OverheadGuard *guard, uint64_t cost) {
        guard->cost = cost;
        guard->share = overhead_share(guard->rate, cost, guard->n_cpus);
}

void overhead_guard_restart(OverheadGuard *guard, uint64_t now) {
        guard->begun = false;
        guard->time = now;
        if (guard->state == OVERHEAD_EXCEEDED)
                guard->state = OVERHEAD_OVER;
}

bool overhead_guard_is_near(const OverheadGuard *guard) {
        return guard->state != OVERHEAD_WITHIN || is_over(guard, NEAR) || overhead_guard_wants_cost(guard);
}

bool overhead_guard_wants_cost(const OverheadGuard *guard) {
        return guard->max_share > 0 && guard->cost == 0 &&
               overhead_share(guard->rate, COST_MAX, guard->n_cpus) > guard->max_share;
}

bool overhead_policy_is_valid(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(policy_names); i++)
                if (strcmp(name, policy_names[i]) == 0)
                        return true;
        return false;
}

OverheadPolicy overhead_policy_from_string(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(policy_names); i++)
                if (strcmp(name, policy_names[i]) == 0)
                        return (OverheadPolicy) i;
        return OVERHEAD_WARN;
}

const char *overhead_policy_to_string(OverheadPolicy policy) {
        return policy_names[policy];
}
