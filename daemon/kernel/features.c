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
#include "kernel/tracefs.h"

#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"
#define KALLSYMS_PATH "/proc/kallsyms"

#define VERSION(major, minor) (((major) << 16) | (minor))

/* What the checks look at, read once. */
typedef struct Facts {
        struct utsname uname;
        unsigned version; /* VERSION() */
        bool locked;      /* tracefs is closed by kernel_lockdown(7) */
        char **tracers;
        char *readme; /* of tracefs: the syntax of what the kernel knows */
} Facts;

/* How a feature shows itself. `mark` is a file below the tracing directory, a tracer's name, a text in the
 * README there; with MARK_VERSION nothing but the version tells. `since` (0: longer than any kernel we
 * run on) is when it came into the kernel, for the reason. `config` is what it is built with. `written`
 * (NULL: nothing outside of instances) is what one must be allowed to write for using it. */
typedef struct FeatureRow {
        const char *name;
        enum {
                MARK_FILE,
                MARK_TRACER,
                MARK_README,
                MARK_VERSION,
        } kind;
        const char *mark;
        unsigned since;
        const char *config;
        const char *written;
} FeatureRow;

/* An event that every kernel with CONFIG_EVENT_TRACING has. */
#define AN_EVENT "events/sched/sched_switch/"

static const FeatureRow rows[] = {
        { "instances", MARK_FILE, "instances", VERSION(3, 10), "TRACING", "instances" },
        { "events", MARK_FILE, "available_events", 0, "EVENT_TRACING", NULL },
        { "syscalls", MARK_FILE, "events/syscalls", 0, "FTRACE_SYSCALLS", NULL },
        { "event_filters", MARK_FILE, AN_EVENT "filter", 0, "EVENT_TRACING", NULL },
        { "event_fork", MARK_FILE, "options/event-fork", VERSION(4, 7), "EVENT_TRACING", NULL },
        { "triggers", MARK_FILE, AN_EVENT "trigger", VERSION(3, 14), "EVENT_TRACING", NULL },
        { "histograms", MARK_FILE, AN_EVENT "hist", VERSION(4, 7), "HIST_TRIGGERS", NULL },
        { "function", MARK_TRACER, "function", 0, "FUNCTION_TRACER", NULL },
        { "function_graph", MARK_TRACER, "function_graph", 0, "FUNCTION_GRAPH_TRACER", NULL },
        { "kprobes", MARK_FILE, "kprobe_events", 0, "KPROBE_EVENTS", "kprobe_events" },
        { "uprobes", MARK_FILE, "uprobe_events", VERSION(3, 5), "UPROBE_EVENTS", "uprobe_events" },
        { "event_probes", MARK_README, "<attached-event>", VERSION(5, 15), "PROBE_EVENTS", "dynamic_events" },
        { "synthetic_events", MARK_FILE, "synthetic_events", VERSION(4, 17), "SYNTH_EVENTS", "synthetic_events" },
        { "snapshot", MARK_FILE, "snapshot", VERSION(3, 9), "TRACER_SNAPSHOT", NULL },
        { "stacktrace", MARK_FILE, "options/stacktrace", 0, "STACKTRACE", NULL },
        { "user_stacktrace", MARK_FILE, "options/userstacktrace", 0, "USER_STACKTRACE_SUPPORT", NULL },
        { "markers", MARK_FILE, "trace_marker", 0, "TRACING", NULL },
        { "boot_instances", MARK_VERSION, NULL, VERSION(6, 3), "TRACING", NULL },
        { "wakeup", MARK_TRACER, "wakeup", 0, "SCHED_TRACER", NULL },
        { "wakeup_rt", MARK_TRACER, "wakeup_rt", 0, "SCHED_TRACER", NULL },
        { "wakeup_dl", MARK_TRACER, "wakeup_dl", VERSION(3, 14), "SCHED_TRACER", NULL },
        { "irqsoff", MARK_TRACER, "irqsoff", 0, "IRQSOFF_TRACER", NULL },
        { "preemptoff", MARK_TRACER, "preemptoff", 0, "PREEMPT_TRACER", NULL },
        { "preemptirqsoff", MARK_TRACER, "preemptirqsoff", 0, "IRQSOFF_TRACER and CONFIG_PREEMPT_TRACER", NULL },
        { "osnoise", MARK_TRACER, "osnoise", VERSION(5, 14), "OSNOISE_TRACER", NULL },
        { "timerlat", MARK_TRACER, "timerlat", VERSION(5, 14), "TIMERLAT_TRACER", NULL },
        { "hwlat", MARK_TRACER, "hwlat", VERSION(4, 9), "HWLAT_TRACER", NULL },
        { "blk", MARK_TRACER, "blk", 0, "BLK_DEV_IO_TRACE", NULL },
        { "error_log", MARK_FILE, "error_log", VERSION(5, 2), "TRACING", NULL },
};

/* Those whose reason takes more than a row. */
#define N_SPECIAL 2

static void facts_clear(Facts *facts) {
        strv_free(facts->tracers);
        free(facts->readme);
}

static int facts_read(Facts *facts) {
        CLEANUP_FREE char *lockdown = NULL;
        unsigned major, minor;
        int r;

        if (uname(&facts->uname) < 0)
                return -errno;
        if (sscanf(facts->uname.release, "%u.%u", &major, &minor) == 2)
                facts->version = VERSION(major, minor);
        /* Only the stricter of its two degrees closes tracefs (LOCKDOWN_TRACEFS, security.h, 5.4). */
        facts->locked = kernel_text_read(LOCKDOWN_PATH, &lockdown) >= 0 && strstr(lockdown, "[confidentiality]");
        if (facts->locked)
                return 0;
        r = tracefs_list_tracers(&facts->tracers);
        if (r < 0)
                return r;
        return tracefs_read_text("README", &facts->readme);
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
                return set_reason(feature, "kernel lockdown is in force (confidentiality)");
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
                return set_reason(feature, "kernel lockdown is in force (confidentiality)");
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
        CLEANUP_FCLOSE FILE *file = NULL;
        CLEANUP_FREE char *restriction = NULL;
        unsigned long long address;

        feature->name = "kernel_addresses";
        file = fopen(KALLSYMS_PATH, "re");
        if (!file && errno == ENOENT)
                return set_reason(feature, "this kernel was built without CONFIG_KALLSYMS");
        if (!file)
                return set_reason(feature, "cannot read " KALLSYMS_PATH ": %s", strerror(errno));

        /* The first symbols of a kernel with per-CPU data may stand at zero for real. */
        while (fscanf(file, "%llx%*[^\n]", &address) == 1)
                if (address != 0) {
                        feature->available = true;
                        return 0;
                }
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
