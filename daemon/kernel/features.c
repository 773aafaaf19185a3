/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/features.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <tracefs.h>

#include "core/strv.h"
#include "kernel/kernel-text.h"
#include "kernel/symbols.h"
#include "kernel/tracing-dir.h"

#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"
#define LOCKDOWN_REASON "kernel lockdown is in force (confidentiality)"

#define VERSION(major, minor) (((major) << 16) | (minor))

/* What the checks look at, read once. */
typedef struct Facts {
        struct utsname uname;
        unsigned version; /* VERSION() */
        bool locked;      /* tracefs is closed by kernel_lockdown(7) */
        char **tracers;
        char *readme; /* of tracefs: the syntax of what the kernel knows */
} Facts;

typedef enum MarkKind {
        MARK_FILE,
        MARK_TRACER,
        MARK_README,
        MARK_VERSION,
} MarkKind;

/* How a feature shows itself. `mark` is a file below the tracing directory, a tracer's name or a text in the
 * README there; with MARK_VERSION nothing but the version tells. `config` is what it is built with.
 * `written` (NULL: nothing outside of instances) is what one must be allowed to write for using it. `since`
 * (0: older than any kernel that we run on) is when it came, for the reason. */
typedef struct FeatureRow {
        const char *name;
        const char *mark;
        const char *config;
        const char *written;
        MarkKind kind;
        unsigned since;
} FeatureRow;

/* An event that every kernel with CONFIG_EVENT_TRACING has. */
#define AN_EVENT "events/sched/sched_switch/"

static const FeatureRow rows[] = {
        { "instances", "instances", "TRACING", "instances", MARK_FILE, VERSION(3, 10) },
        { "events", "available_events", "EVENT_TRACING", NULL, MARK_FILE, 0 },
        { "syscalls", "events/syscalls", "FTRACE_SYSCALLS", NULL, MARK_FILE, 0 },
        { "event_filters", AN_EVENT "filter", "EVENT_TRACING", NULL, MARK_FILE, 0 },
        { "event_fork", "options/event-fork", "EVENT_TRACING", NULL, MARK_FILE, VERSION(4, 7) },
        { "triggers", AN_EVENT "trigger", "EVENT_TRACING", NULL, MARK_FILE, VERSION(3, 14) },
        { "instance_traceoff", NULL, "TRACING", NULL, MARK_VERSION, VERSION(5, 17) },
        { "histograms", AN_EVENT "hist", "HIST_TRIGGERS", NULL, MARK_FILE, VERSION(4, 7) },
        { "function", "function", "FUNCTION_TRACER", NULL, MARK_TRACER, 0 },
        { "function_fork", "options/function-fork", "FUNCTION_TRACER", NULL, MARK_FILE, 0 },
        { "function_graph", "function_graph", "FUNCTION_GRAPH_TRACER", NULL, MARK_TRACER, 0 },
        { "kprobes", "kprobe_events", "KPROBE_EVENTS", "dynamic_events", MARK_FILE, 0 },
        { "uprobes", "uprobe_events", "UPROBE_EVENTS", "dynamic_events", MARK_FILE, VERSION(3, 5) },
        { "event_probes", "<attached-event>", "PROBE_EVENTS", "dynamic_events", MARK_README, VERSION(5, 15) },
        /* By their names in the source, which BTF has: "x", "x->y", "$arg*". */
        { "probe_arguments_by_name", "<argname>", "PROBE_EVENTS_BTF_ARGS", "dynamic_events", MARK_README,
          VERSION(6, 5) },
        { "synthetic_events", "synthetic_events", "SYNTH_EVENTS", "dynamic_events", MARK_FILE, VERSION(4, 17) },
        { "snapshot", "snapshot", "TRACER_SNAPSHOT", NULL, MARK_FILE, VERSION(3, 9) },
        { "stacktrace", "options/stacktrace", "STACKTRACE", NULL, MARK_FILE, 0 },
        { "user_stacktrace", "options/userstacktrace", "USER_STACKTRACE_SUPPORT", NULL, MARK_FILE, 0 },
        { "markers", "trace_marker", "TRACING", NULL, MARK_FILE, 0 },
        { "boot_instances", NULL, "TRACING", NULL, MARK_VERSION, VERSION(6, 3) },
        { "wakeup", "wakeup", "SCHED_TRACER", NULL, MARK_TRACER, 0 },
        { "wakeup_rt", "wakeup_rt", "SCHED_TRACER", NULL, MARK_TRACER, 0 },
        { "wakeup_dl", "wakeup_dl", "SCHED_TRACER", NULL, MARK_TRACER, VERSION(3, 14) },
        { "irqsoff", "irqsoff", "IRQSOFF_TRACER", NULL, MARK_TRACER, 0 },
        { "preemptoff", "preemptoff", "PREEMPT_TRACER", NULL, MARK_TRACER, 0 },
        { "preemptirqsoff", "preemptirqsoff", "IRQSOFF_TRACER and CONFIG_PREEMPT_TRACER", NULL, MARK_TRACER, 0 },
        { "osnoise", "osnoise", "OSNOISE_TRACER", NULL, MARK_TRACER, VERSION(5, 14) },
        { "timerlat", "timerlat", "TIMERLAT_TRACER", NULL, MARK_TRACER, VERSION(5, 14) },
        { "hwlat", "hwlat", "HWLAT_TRACER", NULL, MARK_TRACER, VERSION(4, 9) },
        { "blk", "blk", "BLK_DEV_IO_TRACE", NULL, MARK_TRACER, 0 },
        { "error_log", "error_log", "TRACING", NULL, MARK_FILE, VERSION(5, 2) },
};

/* Those whose reason takes more than a row. */
#define N_SPECIAL 2

static void facts_clear(Facts *facts) {
        strv_free(facts->tracers);
        free(facts->readme);
}

/* Only the stricter of its two degrees closes tracefs (LOCKDOWN_TRACEFS, security.h, 5.4). */
static bool is_locked(void) {
        CLEANUP_FREE char *lockdown = NULL;

        return kernel_text_read(LOCKDOWN_PATH, &lockdown) >= 0 && strstr(lockdown, "[confidentiality]");
}

static int facts_read(Facts *facts) {
        unsigned long major, minor;
        char *end;
        int r;

        if (uname(&facts->uname) < 0)
                return -errno;
        major = strtoul(facts->uname.release, &end, 10);
        minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
        facts->version = (unsigned) VERSION(major, minor);
        facts->locked = is_locked();
        if (facts->locked)
                return 0;
        r = tracing_dir_list_tracers(&facts->tracers);
        if (r < 0)
                return r;
        return tracing_dir_read_text("README", &facts->readme);
}

static bool is_there(const FeatureRow *row, const Facts *facts) {
        switch (row->kind) {
        case MARK_FILE:
                return tracefs_file_exists(NULL, row->mark) || tracefs_dir_exists(NULL, row->mark);
        case MARK_TRACER:
                return strv_contains(facts->tracers, row->mark);
        case MARK_README:
                return strstr(facts->readme, row->mark) != NULL;
        case MARK_VERSION:
                return facts->version >= row->since;
        }
        return false;
}

static int set_reason(Feature *feature, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int set_reason(Feature *feature, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&feature->reason, format, ap);
        va_end(ap);
        if (n >= 0)
                return 0;
        feature->reason = NULL;
        return -ENOMEM;
}

/* 0 or -errno, without opening it: an opening can have effects. */
static int may_write(const char *file) {
        CLEANUP_FREE char *path = tracefs_get_tracing_file(file);

        if (!path)
                return -ENOMEM;
        return access(path, W_OK) < 0 ? -errno : 0;
}

static int probe_row(const FeatureRow *row, const Facts *facts, Feature *feature) {
        feature->name = row->name;
        if (facts->locked)
                return set_reason(feature, LOCKDOWN_REASON);
        if (is_there(row, facts)) {
                int r = row->written ? may_write(row->written) : 0;

                if (r < 0)
                        return set_reason(feature, "no permission to write %s: %s", row->written, strerror(-r));
                feature->available = true;
                return 0;
        }
        if (facts->version < row->since)
                return set_reason(feature, "needs Linux %u.%u or later; this is %s", row->since >> 16,
                                  row->since & 0xffffU, facts->uname.release);
        return set_reason(feature, "this kernel (%s) was built without CONFIG_%s", facts->uname.release, row->config);
}

/* The tracer has data of its own for each instance since 6.11; before, only the top level may use it. */
static int probe_graph_instances(const Facts *facts, Feature *feature) {
        feature->name = "function_graph_instances";
        if (facts->locked)
                return set_reason(feature, LOCKDOWN_REASON);
        if (!strv_contains(facts->tracers, "function_graph"))
                return set_reason(feature, "this kernel (%s) was built without CONFIG_FUNCTION_GRAPH_TRACER",
                                  facts->uname.release);
        if (facts->version < VERSION(6, 11))
                return set_reason(feature, "needs Linux 6.11 or later; this is %s", facts->uname.release);
        feature->available = true;
        return 0;
}

/* /proc/kallsyms shows zeros to whom kptr_restrict hides them (Documentation/admin-guide/sysctl/kernel.rst). */
static int probe_addresses(Feature *feature) {
        CLEANUP_FREE char *restriction = NULL;
        int r;

        feature->name = "kernel_addresses";
        r = symbols_are_shown(&feature->available);
        if (r == -ENOENT)
                return set_reason(feature, "this kernel was built without CONFIG_KALLSYMS");
        if (r < 0)
                return set_reason(feature, "cannot read the kernel's symbols: %s", strerror(-r));
        if (feature->available)
                return 0;
        if (kernel_text_read("/proc/sys/kernel/kptr_restrict", &restriction) >= 0)
                restriction[strcspn(restriction, "\n")] = '\0';
        return set_reason(feature, "no permission: kernel.kptr_restrict is %s, and the daemon has no CAP_SYSLOG",
                          restriction ? restriction : "unknown");
}

void features_free(Feature *features, size_t n) {
        if (!features)
                return;
        for (size_t i = 0; i < n; i++)
                free(features[i].reason);
        free(features);
}

int features_probe(Error *error, Feature **ret, size_t *ret_n) {
        CLEANUP(facts_clear) Facts facts = { 0 };
        size_t n = ELEMENTSOF(rows);
        Feature *features;
        int r;

        r = facts_read(&facts);
        if (r < 0)
                return error_set_errno(error, r, "Cannot find out what the kernel can do");
        features = calloc(n + N_SPECIAL, sizeof(*features));
        if (!features)
                return error_set_errno(error, -ENOMEM, "Cannot find out what the kernel can do");

        for (size_t i = 0; i < n && r >= 0; i++)
                r = probe_row(&rows[i], &facts, &features[i]);
        if (r >= 0)
                r = probe_graph_instances(&facts, &features[n]);
        if (r >= 0)
                r = probe_addresses(&features[n + 1]);
        if (r < 0) {
                features_free(features, n + N_SPECIAL);
                return error_set_errno(error, r, "Cannot find out what the kernel can do");
        }
        *ret = features;
        *ret_n = n + N_SPECIAL;
        return 0;
}

int features_require_tracing(Error *error) {
        if (!is_locked())
                return 0;
        return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL, "Nothing can be traced: " LOCKDOWN_REASON);
}

int features_require(const char *name, const char *purpose, Error *error) {
        Feature *features = NULL;
        size_t n = 0;
        int r;

        r = features_probe(error, &features, &n);
        if (r < 0)
                return r;
        r = -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (strcmp(features[i].name, name) != 0)
                        continue;
                r = 0;
                if (!features[i].available)
                        r = error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL, "%s: %s", purpose, features[i].reason);
                break;
        }
        features_free(features, n);
        return r;
}
