/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <tracefs.h>

#include "core/strv.h"
#include "core/trace-formats.h"
#include "kernel/boot-instance.h"
#include "kernel/cpus.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/synthetic.h"
#include "kernel/trigger-set.h"

/* How often a new instance may vanish before it is held, see make_and_hold(), and the pause after that, in
 * which the kernel ends the removal. */
#define CREATE_ATTEMPTS 10
#define CREATE_PAUSE_USEC 10000
#define DESTROY_ATTEMPTS 10
#define DESTROY_PAUSE_USEC 10000
/* Of paths below an instance that hold a CPU's number. */
#define CPU_PATH_SIZE 64
/* The file of a CPU's numbers has some 200 bytes. */
#define STATS_SIZE 1024

/* Makes the directory and opens the file that holds it: rmdir(2) of an instance is EBUSY while one of its
 * files is open, so from then on no other daemon's instance_remove_stale() can take it. One that comes in
 * between makes the opening fail with ENOENT or ENODEV. */
static int make_and_hold(Instance *instance) {
        struct tracefs_instance *tracefs;
        int fd, r;

        tracefs = tracefs_instance_create(instance->name);
        if (!tracefs)
                return errno ? -errno : -ENOMEM;
        if (!tracefs_instance_is_new(tracefs)) {
                tracefs_instance_free(tracefs);
                return -EEXIST;
        }
        fd = tracefs_instance_file_open(tracefs, "tracing_on", O_RDWR | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                if (r != -ENOENT)
                        (void) tracefs_instance_destroy(tracefs);
                tracefs_instance_free(tracefs);
                return r;
        }
        /* Only so that is_held() can tell: what the kernel itself counts as a user of the instance, it does not say.
         */
        (void) flock(fd, LOCK_SH | LOCK_NB);
        instance->tracefs = tracefs;
        instance->tracing_on_fd = fd;
        return 0;
}

/* By a daemon. */
static bool is_held(struct tracefs_instance *tracefs) {
        CLEANUP_CLOSE int fd = tracefs_instance_file_open(tracefs, "tracing_on", O_RDONLY | O_CLOEXEC);

        return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static bool is_vanished(int r) {
        return r == -ENOENT || r == -ENODEV;
}

static int read_clock(Instance *instance) {
        char *clock = tracefs_get_clock(instance->tracefs);

        if (!clock)
                return errno ? -errno : -EIO;
        free(instance->clock);
        instance->clock = clock;
        return 0;
}

int instance_read_buffer_size(Instance *instance) {
        ssize_t kilobytes;

        /* Of one CPU, since the file for all of them says "X" when they differ. */
        errno = 0;
        kilobytes = tracefs_instance_get_buffer_size(instance->tracefs, (int) instance->cpus.cpus[0]);
        if (kilobytes <= 0)
                return errno ? -errno : -EIO;
        __atomic_store_n(&instance->buffer_size, (uint64_t) kilobytes << 10, __ATOMIC_RELAXED);
        return 0;
}

int instance_read_properties(Instance *instance, Error *error) {
        CLEANUP_FREE char *header_page = NULL;
        int r;

        cpu_list_clear(&instance->cpus);
        r = cpus_possible(error, &instance->cpus);
        if (r < 0)
                return r;
        r = read_clock(instance);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the clock of %s", instance->name);
        r = instance_read_buffer_size(instance);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the buffer size of %s", instance->name);
        r = kernel_text_read_tracefs(instance->tracefs, "events/header_page", &header_page, NULL);
        if (r >= 0)
                r = trace_formats_parse_page_size(header_page, &instance->page_size);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the page size of %s", instance->name);
        return 0;
}

int instance_create(const char *name, Error *error, Instance **ret) {
        Instance *instance;
        int r;

        instance = calloc(1, sizeof(*instance));
        if (!instance)
                return error_set_errno(error, -ENOMEM, "Cannot make an instance");
        instance->tracing_on_fd = instance->placeholder_fd = -1;
        (void) pthread_mutex_init(&instance->mutex, NULL);
        if (asprintf(&instance->name, INSTANCE_PREFIX "%s", name) < 0) {
                free(instance);
                return error_set_errno(error, -ENOMEM, "Cannot make an instance");
        }

        r = make_and_hold(instance);
        /* EEXIST can be that instance only, on its way out. */
        for (unsigned attempt = 1, vanished = is_vanished(r); vanished && attempt < CREATE_ATTEMPTS; attempt++) {
                (void) usleep(CREATE_PAUSE_USEC);
                r = make_and_hold(instance);
                vanished = is_vanished(r) || r == -EEXIST;
        }
        if (r < 0) {
                if (r == -EEXIST)
                        r = error_set(error, ERROR_BUSY, "The kernel already has a trace instance %s",
                                      instance->name);
                else
                        r = error_set_errno(error, r, "Cannot make the trace instance %s", instance->name);
                instance_free(instance);
                return r;
        }

        /* The kernel makes instances with tracing on. */
        r = instance_set_tracing(instance, false, error);
        if (r >= 0)
                r = instance_read_properties(instance, error);
        if (r < 0) {
                (void) instance_destroy(instance);
                return r;
        }
        *ret = instance;
        return 0;
}

void instance_free(Instance *instance) {
        if (!instance)
                return;
        closep(&instance->tracing_on_fd);
        closep(&instance->placeholder_fd);
        for (size_t i = 0; i < instance->n_pidfds; i++)
                (void) close(instance->pidfds[i]);
        identity_clear(&instance->owner);
        (void) pthread_mutex_destroy(&instance->mutex);
        if (instance->tracefs)
                tracefs_instance_free(instance->tracefs);
        if (instance->placeholder)
                tracefs_instance_free(instance->placeholder);
        lease_claim_free(instance->claim);
        cpu_list_clear(&instance->cpus);
        strv_free(instance->triggers);
        strv_free(instance->synthetic_events);
        free(instance->clock);
        free(instance->name);
        free(instance);
}

/* 0 also when somebody else was faster: ENODEV is what the kernel says while it removes it for them. */
static int destroy_in_kernel(struct tracefs_instance *tracefs) {
        errno = 0;
        if (tracefs_instance_destroy(tracefs) >= 0 || errno == ENOENT || errno == ENODEV)
                return 0;
        return errno ? -errno : -EIO;
}

/* One that nobody holds any more. Another daemon that starts looks whether it does (is_held()), and has a file of it
 * open for the moment. */
static int destroy_own(struct tracefs_instance *tracefs) {
        int r = destroy_in_kernel(tracefs);

        for (unsigned attempt = 1; r == -EBUSY && attempt < DESTROY_ATTEMPTS; attempt++) {
                (void) usleep(DESTROY_PAUSE_USEC);
                r = destroy_in_kernel(tracefs);
        }
        return r;
}

int instance_destroy(Instance *instance) {
        struct tracefs_instance *tracefs = instance->placeholder ? instance->placeholder : instance->tracefs;
        int r, destroyed, removed;

        trigger_set_remove(instance);
        closep(&instance->tracing_on_fd);
        instance->tracing_on_fd = -1;
        closep(&instance->placeholder_fd);
        instance->placeholder_fd = -1;
        /* Where the tracer runs in the instance, its settings may not change before it has ended. */
        destroyed = instance->placeholder ? 0 : destroy_own(tracefs);
        r = lease_release(STEAL_PTR(instance->claim));
        if (instance->placeholder)
                destroyed = destroy_own(tracefs);
        removed = synthetic_remove(instance);
        if (r >= 0)
                r = removed;
        instance_free(instance);
        return destroyed < 0 ? destroyed : r;
}

static int switch_tracing(Instance *instance, bool on, Error *error) {
        int r;

        r = on ? tracefs_trace_on_fd(instance->tracing_on_fd) : tracefs_trace_off_fd(instance->tracing_on_fd);
        if (r < 0)
                return error_set_errno(error, -errno, "Cannot switch tracing %s in %s", on ? "on" : "off",
                                       instance->name);
        return 0;
}

/* Since the triggers were set, they may have fired, and the histograms counted: they begin anew with the recording.
 */
static int begin_tracing(Instance *instance, Error *error) {
        int r;

        /* What is still there is found when it is set again. */
        (void) trigger_set_suspend(instance);
        r = switch_tracing(instance, true, error);
        return r < 0 ? r : trigger_set_resume(instance, error);
}

int instance_set_tracing(Instance *instance, bool on, Error *error) {
        int r = 0;

        (void) pthread_mutex_lock(&instance->mutex);
        instance->tracing_wanted = on;
        /* It would go on. */
        if (!on)
                trigger_set_remove_traceon(instance);
        if (!instance->paused)
                r = on ? begin_tracing(instance, error) : switch_tracing(instance, false, error);
        (void) pthread_mutex_unlock(&instance->mutex);
        return r;
}

int instance_pause(Instance *instance, Error *error) {
        int r;

        (void) pthread_mutex_lock(&instance->mutex);
        r = switch_tracing(instance, false, error);
        instance->paused = r >= 0;
        (void) pthread_mutex_unlock(&instance->mutex);
        return r;
}

int instance_resume(Instance *instance, bool on, Error *error) {
        int r = 0;

        (void) pthread_mutex_lock(&instance->mutex);
        instance->paused = false;
        instance->gave_up = !on;
        if (on && instance->tracing_wanted)
                r = switch_tracing(instance, true, error);
        (void) pthread_mutex_unlock(&instance->mutex);
        return r;
}

bool instance_is_tracing(Instance *instance) {
        bool paused;
        char state;

        (void) pthread_mutex_lock(&instance->mutex);
        paused = instance->paused && instance->tracing_wanted;
        (void) pthread_mutex_unlock(&instance->mutex);
        /* Removed with a lazy unmount of tracefs or the like, the file is still readable or gives ENODEV. */
        return paused || (pread(instance->tracing_on_fd, &state, 1, 0) == 1 && state == '1');
}

bool instance_gave_up(Instance *instance) {
        bool gave_up;

        (void) pthread_mutex_lock(&instance->mutex);
        gave_up = instance->gave_up;
        (void) pthread_mutex_unlock(&instance->mutex);
        return gave_up;
}

const char *instance_name(const Instance *instance) {
        return instance->name;
}

const char *instance_clock(const Instance *instance) {
        return instance->clock;
}

const CpuList *instance_cpus(const Instance *instance) {
        return &instance->cpus;
}

uint64_t instance_buffer_size(const Instance *instance) {
        return __atomic_load_n(&instance->buffer_size, __ATOMIC_RELAXED);
}

uint32_t instance_page_size(const Instance *instance) {
        return instance->page_size;
}

static int open_cpu_file(Instance *instance, unsigned cpu, const char *file, int flags, int *ret) {
        char path[CPU_PATH_SIZE];
        int fd;

        (void) snprintf(path, sizeof(path), "per_cpu/cpu%u/%s", cpu, file);
        fd = tracefs_instance_file_open(instance->tracefs, path, flags);
        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

int instance_open_raw(Instance *instance, unsigned cpu, int *ret) {
        return open_cpu_file(instance, cpu, "trace_pipe_raw", O_RDONLY | O_NONBLOCK | O_CLOEXEC, ret);
}

int instance_open_marker(Instance *instance, int *ret) {
        int fd = tracefs_instance_file_open(instance->tracefs, "trace_marker", O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

int instance_open_stats(Instance *instance, unsigned cpu, int *ret) {
        return open_cpu_file(instance, cpu, "stats", O_RDONLY | O_CLOEXEC, ret);
}

int instance_read_stats(int fd, BufferStats *ret) {
        char text[STATS_SIZE];
        ssize_t n;

        /* The kernel makes the text anew at each read from the start. */
        n = pread(fd, text, sizeof(text) - 1, 0);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        return buffer_stats_parse(text, ret);
}

static int collect_ours(const char *name, void *userdata) {
        char ***names = userdata;

        if (strncmp(name, INSTANCE_PREFIX, strlen(INSTANCE_PREFIX)) != 0)
                return 0;
        return strv_append(names, name);
}

int instance_remove_stale(unsigned *ret_n_removed) {
        CLEANUP(strv_freep) char **names = NULL;
        unsigned n_removed = 0;
        int r;

        /* Not tracefs_instances(), which leaks its regular expression (libtracefs 1.6.4). */
        errno = 0;
        r = tracefs_instances_walk(collect_ours, &names);
        if (r < 0)
                return errno ? -errno : -ENOMEM;
        for (size_t i = 0; names && names[i]; i++) {
                struct tracefs_instance *stale = tracefs_instance_alloc(NULL, names[i]);
                int removed;

                if (!stale)
                        return -ENOMEM;
                /* It is the kernel's own, and holds what the boot before recorded. */
                if (boot_instance_is(stale)) {
                        tracefs_instance_free(stale);
                        continue;
                }
                removed = destroy_in_kernel(stale);
                /* A histogram with variables is a user of the instance (save_hist_vars(), trace_events_hist.c). */
                if (removed == -EBUSY && !is_held(stale)) {
                        trigger_set_remove_stale(stale);
                        removed = destroy_in_kernel(stale);
                }
                tracefs_instance_free(stale);
                if (removed >= 0)
                        n_removed++;
                else if (removed != -EBUSY)
                        r = removed; /* The others are still tried. */
        }

        if (r < 0)
                return r;
        *ret_n_removed = n_removed;
        return 0;
}
