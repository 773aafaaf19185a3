/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <tracefs.h>
#include <unistd.h>

#include "ktraced/cleanup.h"

#define SYMBOLS_PATH "/proc/kallsyms"
#define STANDARD_INPUT "/proc/self/fd/0"

/* The tables of present kernels have some 10 MB. */
#define FIRST_SIZE ((size_t) 4 << 20)
/* The symbols of per-CPU data come first and may begin at zero for real, but not as many as this holds. */
#define LOOK_SIZE ((size_t) 256 << 10)

/* By the file system, which nobody can fake, and the name in it: that of the file as the service manager opened it,
 * which in the service's own mount namespace can have lost the path in front. */
static bool is_standard_input(void) {
        static const char name[] = "/kallsyms";
        char path[PATH_MAX];
        struct statfs fs;
        ssize_t n;

        if (fstatfs(STDIN_FILENO, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
                return false;
        n = readlink(STANDARD_INPUT, path, sizeof(path) - 1);
        if (n < (ssize_t) strlen(name))
                return false;
        path[n] = '\0';
        return strcmp(path + n - strlen(name), name) == 0;
}

/* Reads up to `size` bytes, less only at the end of the file. */
static ssize_t read_at(int fd, char *buffer, size_t size, size_t offset) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, buffer + done, size - done, (off_t) (offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t) n;
        }
        return (ssize_t) done;
}

/* The descriptor to read from; *ret_opened owns it when it is not standard input. */
static int open_symbols(int *ret_opened) {
        int fd;

        if (is_standard_input())
                return STDIN_FILENO;
        fd = open(SYMBOLS_PATH, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_opened = fd;
        return fd;
}

/* Standard input is one for all threads, so that a lock on it would not keep them apart; nobody without privileges
 * can open the tracing directory. */
static int lock(int *ret) {
        const char *path = tracefs_tracing_dir();
        CLEANUP_CLOSE int fd = -1;

        if (!path)
                return -ENOENT;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return -errno;
        *ret = steal_fd(&fd);
        return 0;
}

int symbols_read(char **ret, size_t *ret_size) {
        CLEANUP_CLOSE int opened = -1, locked = -1;
        CLEANUP_FREE char *text = NULL;
        size_t size = 0, allocated = FIRST_SIZE;
        int fd, r;

        fd = open_symbols(&opened);
        if (fd < 0)
                return fd;
        r = lock(&locked);
        if (r < 0)
                return r;
        for (;;) {
                char *larger = realloc(text, allocated + 1);
                ssize_t n;

                if (!larger)
                        return -ENOMEM;
                text = larger;
                n = read_at(fd, text + size, allocated - size, size);
                if (n < 0)
                        return (int) n;
                size += (size_t) n;
                if (size < allocated)
                        break;
                allocated *= 2;
        }
        text[size] = '\0';
        *ret = STEAL_PTR(text);
        *ret_size = size;
        return 0;
}

int symbols_find(const char *name, char *ret_type) {
        CLEANUP_FREE char *text = NULL, *searched = NULL;
        size_t size, length = strlen(name) + 1;
        int r;

        r = symbols_read(&text, &size);
        if (r < 0)
                return r;
        if (asprintf(&searched, " %s", name) < 0) {
                searched = NULL;
                return -ENOMEM;
        }
        /* "ADDRESS KIND NAME", and behind a tab the module */
        for (const char *at = text; (at = strstr(at, searched)); at += length)
                if ((at[length] == '\n' || at[length] == '\t') && at - text >= 2 && at[-2] == ' ') {
                        *ret_type = at[-1];
                        return 0;
                }
        return -ENOENT;
}

int symbols_are_shown(bool *ret) {
        CLEANUP_CLOSE int opened = -1, locked = -1;
        CLEANUP_FREE char *text = NULL;
        bool shown = false;
        ssize_t n;
        int fd, r;

        fd = open_symbols(&opened);
        if (fd < 0)
                return fd;
        r = lock(&locked);
        if (r < 0)
                return r;
        text = malloc(LOOK_SIZE + 1);
        if (!text)
                return -ENOMEM;
        n = read_at(fd, text, LOOK_SIZE, 0);
        if (n < 0)
                return (int) n;
        text[n] = '\0';
        for (const char *line = text; line && !shown; line = strchr(line, '\n')) {
                line += *line == '\n';
                shown = strtoull(line, NULL, 16) != 0;
        }
        *ret = shown;
        return 0;
}
