/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* SpecArgs on the way into a message. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "client/spec-args.h"
#include "core/parse.h"
#include "core/spec.h"
#include "core/strv.h"
#include "ktraced/cleanup.h"

/* Each appender adds one entry, or nothing when the key was not given. */

static int append_string(sd_bus_message *m, const char *key, const char *value) {
        return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int append_number(sd_bus_message *m, const char *key, uint64_t value) {
        return value ? sd_bus_message_append(m, "{sv}", key, "t", value) : 0;
}

static int append_true(sd_bus_message *m, const char *key, bool value) {
        return value ? sd_bus_message_append(m, "{sv}", key, "b", 1) : 0;
}

static int append_strings(sd_bus_message *m, const char *key, char **strings) {
        int r;

        if (strv_length(strings) == 0)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, strings);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_filters(sd_bus_message *m, char **filters) {
        int r;

        if (strv_length(filters) == 0)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "filters");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a{ss}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (size_t i = 0; r >= 0 && filters[i]; i += 2)
                r = sd_bus_message_append(m, "{ss}", filters[i], filters[i + 1]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_pids(sd_bus_message *m, const int32_t *pids, size_t n_pids) {
        int r;

        if (n_pids == 0)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "pids");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ai");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'i', pids, n_pids * sizeof(*pids));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_probe_files(sd_bus_message *m, const ProbeArgs *probes) {
        int r;

        if (!probes->paths)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "probe_files");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ah");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "h");
        for (size_t i = 0; r >= 0 && probes->paths[i]; i++)
                r = sd_bus_message_append_basic(m, 'h', &probes->fds[i]);
        for (unsigned level = 0; r >= 0 && level < 3; level++)
                r = sd_bus_message_close_container(m);
        return r;
}

static bool is_self(const SpecArgs *args) {
        return args->scope && strcmp(args->scope, SPEC_SCOPE_SELF) == 0;
}

/* The message has descriptors of its own. */
static int append_process(sd_bus_message *m, pid_t pid) {
        CLEANUP_CLOSE int pidfd = pidfd_open(pid, 0);

        return pidfd < 0 ? -errno : sd_bus_message_append_basic(m, 'h', &pidfd);
}

/* Scope self takes processes by descriptors only. */
static int append_processes(sd_bus_message *m, const SpecArgs *args) {
        int r;

        if (args->pidfd < 0 && !(is_self(args) && args->n_pids > 0))
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "pidfds");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ah");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "h");
        if (r >= 0 && args->pidfd >= 0)
                r = sd_bus_message_append_basic(m, 'h', &args->pidfd);
        for (size_t i = 0; r >= 0 && is_self(args) && i < args->n_pids; i++)
                r = append_process(m, args->pids[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_descriptors(sd_bus_message *m, const SpecArgs *args) {
        int r = append_processes(m, args);

        if (r >= 0 && args->output >= 0)
                r = sd_bus_message_append(m, "{sv}", "output", "h", args->output);
        return r < 0 ? r : append_probe_files(m, &args->probes);
}

/* As systemctl does: a name without the ending of a type is a service's. */
static int append_unit(sd_bus_message *m, const char *unit) {
        CLEANUP_FREE char *name = NULL;

        if (!unit)
                return 0;
        if (asprintf(&name, "%s%s", unit, unit_is_valid(unit) ? "" : ".service") < 0) {
                name = NULL;
                return -ENOMEM;
        }
        return append_string(m, "unit", name);
}

static int append_overhead(sd_bus_message *m, const SpecArgs *args) {
        int r = 0;

        if (args->has_max_event_rate)
                r = sd_bus_message_append(m, "{sv}", "max_event_rate", "t", args->max_event_rate);
        if (r >= 0 && args->has_max_cpu_share)
                r = sd_bus_message_append(m, "{sv}", "max_cpu_share", "t", args->max_cpu_share);
        if (r >= 0 && args->has_overhead_grace)
                r = sd_bus_message_append(m, "{sv}", "overhead_grace", "t", args->overhead_grace);
        return r < 0 ? r : append_string(m, "overhead_policy", args->overhead_policy);
}

static int append_single_values(sd_bus_message *m, const SpecArgs *args) {
        int r;

        r = append_string(m, "profile", args->profile);
        if (r >= 0)
                r = append_string(m, "scope", args->scope);
        if (r >= 0)
                r = append_true(m, "children", args->children);
        if (r >= 0)
                r = append_unit(m, args->unit);
        if (r >= 0 && args->has_user)
                r = sd_bus_message_append(m, "{sv}", "user", "u", (uint32_t) args->user);
        if (r >= 0)
                r = append_string(m, "cpus", args->cpus);
        if (r >= 0)
                r = append_string(m, "clock", args->clock);
        if (r >= 0)
                r = append_number(m, "buffer_size", args->buffer_size);
        if (r >= 0)
                r = append_string(m, "mode", args->ring_size > 0 || args->window > 0 ? "ring" : NULL);
        if (r >= 0)
                r = append_number(m, "ring_size", args->ring_size);
        if (r >= 0)
                r = append_number(m, "window", args->window);
        if (r >= 0)
                r = append_number(m, "segment_size", args->segment_size);
        if (r >= 0)
                r = append_number(m, "segment_age", args->segment_age);
        if (r >= 0)
                r = append_number(m, "segments", args->segments);
        if (r >= 0)
                r = append_number(m, "duration", args->duration);
        if (r >= 0)
                r = append_true(m, "symbols", args->symbols);
        if (r >= 0)
                r = append_overhead(m, args);
        if (r >= 0)
                r = append_string(m, "tracer", args->tracer);
        if (r >= 0)
                r = append_number(m, "graph_depth", args->graph_depth);
        if (r >= 0)
                r = append_true(m, "all_functions", args->all_functions);
        if (r >= 0)
                r = append_true(m, "function_stacks", args->function_stacks);
        return r < 0 ? r : append_true(m, "attached", args->attached);
}

int spec_args_append(const SpecArgs *args, sd_bus_message *message) {
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = append_single_values(message, args);
        if (r >= 0)
                r = append_strings(message, "events", args->events);
        if (r >= 0)
                r = append_filters(message, args->filters);
        if (r >= 0)
                r = append_pids(message, args->pids, is_self(args) ? 0 : args->n_pids);
        if (r >= 0)
                r = append_strings(message, "options", args->options);
        if (r >= 0)
                r = append_strings(message, "probes", args->probes.definitions);
        if (r >= 0)
                r = append_strings(message, "triggers", args->triggers);
        if (r >= 0)
                r = append_strings(message, "histograms", args->histograms);
        if (r >= 0)
                r = append_strings(message, "sql", args->queries);
        if (r >= 0)
                r = append_strings(message, "watches", args->watches);
        if (r >= 0)
                r = append_strings(message, "synthetic_events", args->synthetic_events);
        if (r >= 0)
                r = append_strings(message, "functions", args->functions);
        if (r >= 0)
                r = append_strings(message, "functions_notrace", args->functions_notrace);
        if (r >= 0)
                r = append_strings(message, "graph_functions", args->graph_functions);
        if (r >= 0)
                r = append_strings(message, "graph_notrace", args->graph_notrace);
        if (r >= 0)
                r = append_descriptors(message, args);
        return r < 0 ? r : sd_bus_message_close_container(message);
}
