/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "core/pressure-text.h"
#include "kernel/control-group.h"

#define PROC_PRESSURE "/proc/pressure"
/* Two lines of some 80 bytes. */
#define TEXT_SIZE 512

struct Pressure {
        int fd;
        bool told;
        bool full;
        uint64_t total; /* at the last measurement */
};

static int find_path(const WatchSpec *watch, Error *error, char **ret) {
        CLEANUP_FREE char *group = NULL;
        const char *root;
        int r;

        if (!watch->unit) {
                if (asprintf(ret, PROC_PRESSURE "/%s", watch->what) >= 0)
                        return 0;
                (void) error_set_errno(error, -ENOMEM, "Cannot watch the pressure");
                return -ENOMEM;
        }
        root = control_group_root();
        if (!root) {
                (void) error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "There are no control groups of systemd's units here");
                return -EOPNOTSUPP;
        }
        r = control_group_find(root, watch->unit, error, &group);
        if (r < 0)
                return r;
        if (asprintf(ret, "%s/%s.pressure", group, watch->what) >= 0)
                return 0;
        (void) error_set_errno(error, -ENOMEM, "Cannot watch the pressure");
        return -ENOMEM;
}

/* 1 when the kernel will tell, 0 when it does not let us ask for it. */
static int ask(Pressure *pressure, const char *path, const WatchSpec *watch) {
        CLEANUP_CLOSE int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        char text[64];
        int length;

        if (fd < 0)
                return 0;
        length = snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRIu64, watch->full ? "full" : "some",
                          watch->threshold, watch->window);
        /* With the byte that ends it: the kernel overwrites the last one. */
        if (write(fd, text, (size_t) length + 1) < 0)
                return 0;
        pressure->fd = steal_fd(&fd);
        return 1;
}

static int read_total(const Pressure *pressure, uint64_t *ret) {
        char text[TEXT_SIZE];
        ssize_t n = pread(pressure->fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                return errno ? -errno : -EIO;
        text[n] = '\0';
        return pressure_parse_total(text, pressure->full, ret);
}

static int refuse(const char *path, const WatchSpec *watch, int r, Error *error) {
        if (r == -ENOENT || r == -EOPNOTSUPP)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "The kernel measures no pressure (%s; CONFIG_PSI and, where it is off by default, "
                                 "psi=1 are needed%s)",
                                 path, watch->unit ? ", and version 2 of control groups" : "");
        return error_set_errno(error, r, "Cannot read %s", path);
}

int pressure_open(const WatchSpec *watch, Error *error, Pressure **ret) {
        CLEANUP(pressure_freep) Pressure *pressure = malloc(sizeof(*pressure));
        CLEANUP_FREE char *path = NULL;
        int r;

        if (!pressure)
                return error_set_errno(error, -ENOMEM, "Cannot watch the pressure");
        *pressure = (Pressure){ .fd = -1, .full = watch->full };
        r = find_path(watch, error, &path);
        if (r < 0)
                return r;
        pressure->told = ask(pressure, path, watch) > 0;
        if (!pressure->told) {
                pressure->fd = open(path, O_RDONLY | O_CLOEXEC);
                if (pressure->fd < 0)
                        return refuse(path, watch, -errno, error);
        }
        r = read_total(pressure, &pressure->total);
        if (r < 0)
                return refuse(path, watch, r, error);
        *ret = STEAL_PTR(pressure);
        return 0;
}

void pressure_free(Pressure *pressure) {
        if (!pressure)
                return;
        closep(&pressure->fd);
        free(pressure);
}

bool pressure_is_told(const Pressure *pressure) {
        return pressure->told;
}

int pressure_fd(const Pressure *pressure) {
        return pressure->fd;
}

void pressure_forget(Pressure *pressure) {
        (void) poll(&(struct pollfd){ .fd = pressure->fd, .events = POLLPRI }, 1, 0);
}

int pressure_measure(Pressure *pressure, uint64_t *ret) {
        uint64_t total = 0;
        int r = read_total(pressure, &total);

        if (r < 0)
                return r;
        *ret = total > pressure->total ? total - pressure->total : 0;
        pressure->total = total;
        return 0;
}
