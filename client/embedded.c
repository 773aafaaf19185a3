/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/exec-child.h"
#include "config.h"
#include "ktraced/protocol.h"

/* <directory of this program>/../daemon/ktraced, when there is such a program. */
static int find_uninstalled(char **ret) {
        char self[PATH_MAX];
        CLEANUP_FREE char *path = NULL;
        ssize_t n;
        char *slash;

        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
                return -errno;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (!slash)
                return -ENOENT;
        *slash = '\0';
        if (asprintf(&path, "%s/../daemon/ktraced", self) < 0)
                return -ENOMEM;
        if (access(path, X_OK) < 0)
                return -errno;
        *ret = STEAL_PTR(path);
        return 0;
}

/* In the child: becomes the daemon, or returns -errno. Standard output is not the daemon's to write to. */
static int become_daemon(const char *path, int fd) {
        char number[sizeof(int) * 3 + 1];
        /* Of what it would warn about, such as lost events, the client learns in other ways. */
        char *argv[] = { (char *) "ktraced", (char *) "--log-level=err", NULL };

        (void) snprintf(number, sizeof(number), "%d", fd);
        if (setpgid(0, 0) < 0 || fcntl(fd, F_SETFD, 0) < 0 || setenv(KTRACED_EMBEDDED_FD_ENV, number, 1) < 0 ||
            dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
                return -errno;
        execv(path, argv);
        return -errno;
}

int embedded_start(EmbeddedDaemon *daemon, Error *error, int *ret_fd) {
        CLEANUP_FREE char *uninstalled = NULL;
        CLEANUP_CLOSE int own = -1, other = -1;
        const char *path;
        int pair[2], r;
        ExecChild child;

        if (geteuid() != 0)
                return error_set(error, ERROR_ACCESS_DENIED,
                                 "--embedded needs root; over the bus no rights are needed");
        (void) find_uninstalled(&uninstalled);
        path = uninstalled ?: KTRACED_DAEMON_PATH;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(error, -errno, "Cannot make a socket pair");
        own = pair[0];
        other = pair[1];

        r = exec_child_fork(&child);
        if (r < 0)
                return error_set_errno(error, r, "Cannot fork");
        if (r == 0)
                exec_child_report(&child, become_daemon(path, other));
        r = exec_child_confirm(&child);
        if (r < 0)
                return error_set_errno(error, r, "Cannot run %s", path);
        daemon->pid = child.pid;
        *ret_fd = steal_fd(&own);
        return 0;
}

bool embedded_has_ended(EmbeddedDaemon *daemon, int *ret_status) {
        int status;

        if (daemon->pid <= 0)
                return false;
        /* Called when the connection broke: the daemon has ended or is about to. */
        status = exec_child_wait(daemon->pid);
        daemon->pid = 0;
        if (status < 0)
                return false;
        *ret_status = status;
        return true;
}

void embedded_wait(EmbeddedDaemon *daemon) {
        if (daemon->pid > 0)
                (void) exec_child_wait(daemon->pid);
        daemon->pid = 0;
}
