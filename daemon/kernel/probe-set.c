/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/probe-set.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tracefs.h>
#include <unistd.h>

#include "core/json-text.h"
#include "core/probe.h"
#include "core/strv.h"
#include "core/suggestion.h"
#include "core/text.h"
#include "kernel/dynamic-events.h"
#include "kernel/error-log.h"
#include "kernel/event-format.h"
#include "kernel/features.h"
#include "kernel/functions.h"
#include "kernel/instance-private.h"
#include "kernel/symbols.h"

#define FD_PATH_SIZE 32

struct ProbeSet {
        char *group;
        char **names; /* of those that are defined */
};

void probe_set_free(ProbeSet *set) {
        if (!set)
                return;
        free(set->group);
        strv_free(set->names);
        free(set);
}

const char *probe_set_group(const ProbeSet *set) {
        return set->group;
}

/* Checks */

/* A file system of the client's own must not be asked, which may never answer. */
static int check_file(int fd, unsigned number, Error *error) {
        int flags = fcntl(fd, F_GETFL);
        struct statx st;

        if (flags < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return error_set_errno(error, -errno, "probe_files: cannot look at file @%u", number);
        if (!S_ISREG(st.stx_mode))
                return error_set(error, ERROR_BAD_DESCRIPTOR, "probe_files: @%u is no regular file", number);
        if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
                return error_set(error, ERROR_BAD_DESCRIPTOR, "probe_files: @%u is not open for reading", number);
        return 0;
}

static int check_event(const Probe *probe, Error *error) {
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "events/%s", probe->target) < 0) {
                path = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot check the probes");
        }
        if (strncmp(probe->target, PROBE_GROUP_PREFIX, strlen(PROBE_GROUP_PREFIX)) == 0 ||
            !tracefs_dir_exists(NULL, path))
                return error_set(error, ERROR_NO_SUCH_EVENT, "probes: %s: the kernel has no event %s", probe->name,
                                 probe->target);
        return 0;
}

/* The kernel would take one that is not there, and wait for it to be loaded: a wrong name would go unnoticed. */
static int check_module(const Probe *probe, Error *error) {
        const char *colon = strchr(probe->target, ':');
        CLEANUP_FREE char *path = NULL;
        int length;

        if (!colon)
                return 0;
        length = (int) (colon - probe->target);
        if (asprintf(&path, "/sys/module/%.*s/initstate", length, probe->target) < 0) {
                path = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot check the probes");
        }
        if (access(path, F_OK) < 0)
                return error_set(error, ERROR_NO_SUCH_FUNCTION, "probes: %s: no module \"%.*s\" is loaded",
                                 probe->name, length, probe->target);
        return 0;
}

static int check_probe(const Probe *probe, const Spec *spec, Error *error) {
        switch (probe->kind) {
        case PROBE_KPROBE:
        case PROBE_KRETPROBE: {
                int r = features_require("kprobes", "probes", error);

                if (r >= 0 && probe->by_name)
                        r = features_require("probe_arguments_by_name", "probes", error);
                return r < 0 ? r : check_module(probe, error);
        }
        case PROBE_UPROBE:
        case PROBE_URETPROBE: {
                int r = features_require("uprobes", "probes", error);

                return r < 0 ? r : check_file(spec->probe_files.fds[probe->file], probe->file, error);
        }
        default: {
                int r = features_require("event_probes", "probes", error);

                return r < 0 ? r : check_event(probe, error);
        }
        }
}

int probe_set_check(const Spec *spec, Error *error) {
        for (char **text = spec->probes; text && *text; text++) {
                CLEANUP(probe_clear) Probe probe = { 0 };
                int r;

                r = probe_parse(*text, error, &probe);
                if (r >= 0)
                        r = check_probe(&probe, spec, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Defining */

static int suggest_function(const Probe *probe, Error *error) {
        CLEANUP(function_list_clear) FunctionList list = { 0 };
        Suggestion suggestion;

        if (functions_read(NULL, &list) < 0)
                return 0;
        suggestion_init(&suggestion, probe->symbol);
        for (size_t i = 0; i < list.n_functions; i++)
                suggestion_consider(&suggestion, list.functions[i].name);
        if (!suggestion_best(&suggestion))
                return 0;
        return error_set(error, ERROR_NO_SUCH_FUNCTION,
                         "probes: %s: the kernel has no function \"%s\" that can be probed; did you mean \"%s\"?",
                         probe->name, probe->symbol, suggestion_best(&suggestion));
}

/* The kernel's errors are the same for a name that it does not know, for data, for code that is gone since the boot,
 * and for code that a probe itself would run through (NOKPROBE_SYMBOL() and noinstr). 0 when there is nothing to add
 * to `reason`, which may be NULL. */
static int explain_symbol(const Probe *probe, const char *reason, Error *error) {
        char type;
        int r;

        if (!probe->symbol)
                return 0;
        r = symbols_find(probe->symbol, &type);
        if (r == -ENOENT)
                return suggest_function(probe, error);
        if (r < 0)
                return 0;
        if (!strchr("tTwW", type))
                return error_set(error, ERROR_NO_SUCH_FUNCTION,
                                 "probes: %s: \"%s\" is data of the kernel and no function", probe->name,
                                 probe->symbol);
        if (!reason || !strstr(reason, "Failed to register"))
                return 0;
        return error_set(error, ERROR_KERNEL_REFUSED,
                         "probes: %s: the function \"%s\" of the kernel cannot be probed: %s", probe->name,
                         probe->symbol, reason);
}

/* The log is everybody's: an entry counts when it is about our group. */
static char *read_reason(const ProbeSet *set) {
        CLEANUP_FREE char *log = tracefs_error_all(NULL), *reason = NULL;

        if (!log || error_log_parse_last(log, &reason) < 0 || !strstr(reason, set->group))
                return NULL;
        return STEAL_PTR(reason);
}

static int refuse(const ProbeSet *set, const Probe *probe, int r, Error *error) {
        CLEANUP_FREE char *reason = NULL;
        int explained;

        if (r == -ENOMEM)
                return error_set_errno(error, r, "Cannot define the probe \"%s\"", probe->name);
        reason = read_reason(set);
        explained = explain_symbol(probe, reason, error);
        if (explained < 0)
                return explained;
        if (reason)
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the probe \"%s\": %s", probe->name,
                                 reason);
        /* Without a word: nothing but that tells a kernel without them. */
        if (probe->kind == PROBE_EVENT && r == -EINVAL)
                return error_set(error, ERROR_KERNEL_REFUSED,
                                 "The kernel refused the probe \"%s\"; it may be built without CONFIG_EPROBE_EVENTS",
                                 probe->name);
        return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the probe \"%s\": %s", probe->name,
                         strerror(-r));
}

static int define(ProbeSet *set, const char *text, const Spec *spec, Error *error) {
        CLEANUP(probe_clear) Probe probe = { 0 };
        CLEANUP_FREE char *command = NULL;
        char path[FD_PATH_SIZE] = "";
        int r;

        r = probe_parse(text, error, &probe);
        if (r < 0)
                return r;
        /* The kernel follows it to the inode, whatever has become of the path meanwhile. */
        if (probe.kind == PROBE_UPROBE || probe.kind == PROBE_URETPROBE)
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", spec->probe_files.fds[probe.file]);
        r = probe_format(&probe, set->group, path, &command);
        if (r < 0)
                return error_set_errno(error, r, "Cannot define the probe \"%s\"", probe.name);
        r = dynamic_events_write(command);
        if (r < 0)
                return refuse(set, &probe, r, error);
        r = strv_append(&set->names, probe.name);
        if (r < 0) {
                (void) dynamic_events_remove(set->group, probe.name);
                return error_set_errno(error, r, "Cannot define the probe \"%s\"", probe.name);
        }
        return 0;
}

int probe_set_new(const char *name, const Spec *spec, Error *error, ProbeSet **ret) {
        unsigned n_removed;
        ProbeSet *set;
        int r = 0;

        if (strv_length(spec->probes) == 0) {
                *ret = NULL;
                return 0;
        }
        /* What was in use when its session ended, by another tool in its own instance, may be free now. */
        (void) probe_set_remove_stale(&n_removed);
        set = calloc(1, sizeof(*set));
        if (!set || asprintf(&set->group, PROBE_GROUP_PREFIX "%s", name) < 0) {
                free(set);
                return error_set_errno(error, -ENOMEM, "Cannot define the probes");
        }
        for (char **text = spec->probes; r >= 0 && *text; text++)
                r = define(set, *text, spec, error);
        if (r < 0) {
                (void) probe_set_destroy(set);
                return r;
        }
        *ret = set;
        return 0;
}

int probe_set_enable(const ProbeSet *set, Instance *instance, const Spec *spec, Error *error) {
        CLEANUP_FREE char *path = NULL;

        if (!set)
                return 0;
        for (size_t i = 0; i < spec->n_filters; i++) {
                int r = strv_contains(set->names, spec->filters[i].pattern)
                                ? instance_set_own_filter(instance, set->group, spec->filters[i].pattern,
                                                          &spec->filters[i], error)
                                : 0;

                if (r < 0)
                        return r;
        }
        if (asprintf(&path, "events/%s/enable", set->group) < 0) {
                path = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot enable the probes");
        }
        /* Only now the kernel puts the breakpoints in. */
        if (tracefs_instance_file_write(instance->tracefs, path, "1") < 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused to enable the probes: %s",
                                 strerror(errno));
        return 0;
}

static int describe_one(const ProbeSet *set, const char *name, Error *error, struct json_object *array) {
        CLEANUP(event_format_freep) EventFormat *format = NULL;
        CLEANUP_JSON struct json_object *object = NULL;
        int r;

        r = event_format_new(set->group, name, error, &format);
        if (r < 0)
                return r;
        r = event_format_to_json(format, &object);
        if (r < 0)
                return error_set_errno(error, r, "Cannot describe the probes");
        /* The group is nobody's business, and the number will not be the same the next time. */
        json_object_object_del(object, "system");
        json_object_object_del(object, "id");
        if (json_object_array_add(array, object) < 0)
                return error_set_errno(error, -ENOMEM, "Cannot describe the probes");
        object = NULL;
        return 0;
}

int probe_set_describe(const ProbeSet *set, Error *error, char **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object(), *array = json_object_new_array();
        int r = 0;

        if (!object || !array)
                return error_set_errno(error, -ENOMEM, "Cannot describe the probes");
        for (char **name = set->names; r >= 0 && name && *name; name++)
                r = describe_one(set, *name, error, array);
        if (r < 0)
                return r;
        r = json_text_add(object, "probes", STEAL_PTR(array));
        if (r >= 0)
                r = json_text_format(object, false, ret);
        return r < 0 ? error_set_errno(error, r, "Cannot describe the probes") : 0;
}

int probe_set_read_files(const Spec *spec, char ***ret) {
        CLEANUP(strv_freep) char **paths = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < spec->probe_files.n_fds; i++) {
                char link[FD_PATH_SIZE], path[PATH_MAX];
                ssize_t n;

                (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", spec->probe_files.fds[i]);
                n = readlink(link, path, sizeof(path) - 1);
                path[n < 0 ? 0 : n] = '\0';
                r = strv_append(&paths, TEXT_ESCAPE(path));
        }
        if (r < 0)
                return r;
        *ret = STEAL_PTR(paths);
        return 0;
}

/* Removing */

int probe_set_destroy(ProbeSet *set) {
        int r = 0;

        if (!set)
                return 0;
        for (char **name = set->names; name && *name; name++) {
                int removed = dynamic_events_remove(set->group, *name);

                if (removed < 0)
                        r = removed; /* The others are still tried. */
        }
        probe_set_free(set);
        return r;
}

/* A line of dynamic_events is "p:GROUP/NAME ..."; returns 1 for one of ours without an instance. */
static int parse_stale(const char *line, char **ret_group, char **ret_name) {
        const char *group = strchr(line, ':'), *slash, *end;
        CLEANUP_FREE char *path = NULL;

        end = line + strcspn(line, " \n");
        if (!group || group > end || strncmp(++group, PROBE_GROUP_PREFIX, strlen(PROBE_GROUP_PREFIX)) != 0)
                return 0;
        slash = memchr(group, '/', (size_t) (end - group));
        if (!slash)
                return 0;
        *ret_group = strndup(group, (size_t) (slash - group));
        *ret_name = strndup(slash + 1, (size_t) (end - slash - 1));
        if (!*ret_group || !*ret_name ||
            asprintf(&path, "instances/" INSTANCE_PREFIX "%s", *ret_group + strlen(PROBE_GROUP_PREFIX)) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return !tracefs_dir_exists(NULL, path);
}

int probe_set_remove_stale(unsigned *ret_n_removed) {
        return dynamic_events_remove_stale(parse_stale, ret_n_removed);
}
