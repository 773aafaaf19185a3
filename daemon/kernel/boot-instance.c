/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/boot-instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/strv.h"
#include "kernel/cpus.h"
#include "kernel/kernel-text.h"

#define MARK "last_boot_info"

struct BootInstance {
        struct tracefs_instance *tracefs;
        char *name;
        CpuList cpus;
        int *fds; /* trace_pipe_raw of each CPU; -1: not opened yet */
        uint64_t buffer_size;
        bool on;
};

bool boot_instance_is(struct tracefs_instance *instance) {
        return tracefs_file_exists(instance, MARK);
}

void boot_instance_free(BootInstance *instance) {
        if (!instance)
                return;
        for (size_t i = 0; instance->fds && i < instance->cpus.n_cpus; i++)
                closep(&instance->fds[i]);
        free(instance->fds);
        cpu_list_clear(&instance->cpus);
        if (instance->tracefs)
                tracefs_instance_free(instance->tracefs);
        free(instance->name);
        free(instance);
}

static int read_properties(BootInstance *instance, Error *error) {
        ssize_t kilobytes;
        int r, on;

        r = cpus_possible(error, &instance->cpus);
        if (r < 0)
                return r;
        instance->fds = calloc(instance->cpus.n_cpus, sizeof(instance->fds[0]));
        if (!instance->fds)
                return error_set_errno(error, -ENOMEM, "Cannot read %s", instance->name);
        for (size_t i = 0; i < instance->cpus.n_cpus; i++)
                instance->fds[i] = -1;
        errno = 0;
        kilobytes = tracefs_instance_get_buffer_size(instance->tracefs, (int) instance->cpus.cpus[0]);
        on = tracefs_trace_is_on(instance->tracefs);
        if (kilobytes <= 0 || on < 0)
                return error_set_errno(error, errno ? -errno : -EIO, "Cannot read %s", instance->name);
        instance->buffer_size = (uint64_t) kilobytes << 10;
        instance->on = on > 0;
        return 0;
}

int boot_instance_open(const char *name, Error *error, BootInstance **ret) {
        CLEANUP(boot_instance_freep) BootInstance *instance = calloc(1, sizeof(*instance));
        int r;

        if (!instance)
                return error_set_errno(error, -ENOMEM, "Cannot open the instance %s", name);
        instance->name = strdup(name);
        if (!instance->name)
                return error_set_errno(error, -ENOMEM, "Cannot open the instance %s", name);
        errno = 0;
        instance->tracefs = tracefs_instance_alloc(NULL, name);
        if (!instance->tracefs || !boot_instance_is(instance->tracefs))
                return -ENOENT;
        r = read_properties(instance, error);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(instance);
        return 0;
}

const CpuList *boot_instance_cpus(const BootInstance *instance) {
        return &instance->cpus;
}

uint64_t boot_instance_buffer_size(const BootInstance *instance) {
        return instance->buffer_size;
}

bool boot_instance_is_on(const BootInstance *instance) {
        return instance->on;
}

int boot_instance_list_systems(const BootInstance *instance, char ***ret) {
        CLEANUP(strv_freep) char **events = NULL, **systems = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        r = kernel_text_read_tracefs(instance->tracefs, "set_event", &text, NULL);
        if (r >= 0)
                r = strv_split(text, "\n", &events);
        for (char **event = events; r >= 0 && event && *event; event++) {
                (*event)[strcspn(*event, ":")] = '\0';
                if (**event && !strv_contains(systems, *event))
                        r = strv_append(&systems, *event);
        }
        if (r < 0)
                return r;
        *ret = STEAL_PTR(systems);
        return 0;
}

ssize_t boot_instance_read(BootInstance *instance, size_t cpu_index, void *page, size_t size) {
        int *fd = &instance->fds[cpu_index];
        ssize_t n;

        if (*fd < 0) {
                char path[64];

                (void) snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", instance->cpus.cpus[cpu_index]);
                *fd = tracefs_instance_file_open(instance->tracefs, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
                /* A CPU that was never there has no buffer. */
                if (*fd < 0)
                        return errno == ENOENT || errno == ENODEV || errno == ENXIO ? 0 : -errno;
        }
        do
                n = read(*fd, page, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? errno == EAGAIN ? 0 : -errno : n;
}

int boot_instance_begin(BootInstance *instance, const char *clock, Error *error) {
        /* The clock first, which empties the buffer, and the file "trace", which does so for sure. */
        if (tracefs_instance_file_write(instance->tracefs, "trace_clock", clock) < 0 ||
            tracefs_instance_file_clear(instance->tracefs, "trace") < 0 || tracefs_trace_on(instance->tracefs) < 0)
                return error_set_errno(error, errno ? -errno : -EIO, "Cannot begin recording in %s", instance->name);
        return 0;
}
