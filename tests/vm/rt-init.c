/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first process of a guest whose kernel has its drivers as modules (see rt.py): inserts what stands in /modules,
 * in the order of the names, and goes on with the root file system. Linked statically; says on the console what
 * failed. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK "/dev/nvme0n1"
#define WAIT_SECONDS 60

static int fail(const char *what) {
        perror(what);
        return EXIT_FAILURE;
}

static void insert_modules(void) {
        for (unsigned i = 0;; i++) {
                char path[32];
                int fd;

                (void) snprintf(path, sizeof(path), "/modules/%03u.ko", i);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return;
                if (syscall(SYS_finit_module, fd, "", 0) < 0)
                        (void) fail(path);
                (void) close(fd);
        }
}

int main(void) {
        if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0)
                return fail("/dev");
        insert_modules();
        for (unsigned i = 0; i < WAIT_SECONDS * 10U && access(DISK, F_OK) < 0; i++)
                (void) usleep(100000);
        if (mount(DISK, "/root", "ext4", 0, NULL) < 0)
                return fail(DISK);
        if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
                return fail("/root");
        (void) execl("/sbin/init", "/sbin/init", (char *) NULL);
        return fail("/sbin/init");
}
