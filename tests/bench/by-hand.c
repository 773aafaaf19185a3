/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What somebody who has tracefs to himself does until events flow: `by-hand TRACING_DIR NAME KIB CLOCK EVENT...`
 * makes the instance NAME, switches its tracing off, sets clock and buffer size, enables each EVENT ("system" or
 * "system/event"), opens the raw buffer of each CPU and switches tracing on. It prints how many nanoseconds that
 * took, removes the instance and ends.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX 1024

typedef struct Readers {
        int fds[CPUS_MAX];
        int n;
} Readers;

static uint64_t now(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static int write_file(const char *path, const char *text) {
        size_t length = strlen(text);
        int fd, r = 0;

        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (write(fd, text, length) != (ssize_t) length)
                r = errno ? -errno : -EIO;
        (void) close(fd);
        return r;
}

static int open_readers(Readers *readers) {
        long n_cpus = sysconf(_SC_NPROCESSORS_CONF);

        for (long cpu = 0; cpu < n_cpus && cpu < CPUS_MAX; cpu++) {
                char path[PATH_MAX];
                int fd;

                (void) snprintf(path, sizeof(path), "per_cpu/cpu%ld/trace_pipe_raw", cpu);
                fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                readers->fds[readers->n++] = fd;
        }
        return 0;
}

/* In the instance's directory. */
static int set_up(char *const *arguments, Readers *readers) {
        int r;

        r = write_file("tracing_on", "0");
        if (r == 0)
                r = write_file("trace_clock", arguments[1]);
        if (r == 0)
                r = write_file("buffer_size_kb", arguments[0]);
        for (size_t i = 2; r == 0 && arguments[i]; i++) {
                char path[PATH_MAX];

                (void) snprintf(path, sizeof(path), "events/%s/enable", arguments[i]);
                r = write_file(path, "1");
        }
        if (r == 0)
                r = open_readers(readers);
        if (r == 0)
                r = write_file("tracing_on", "1");
        return r;
}

int main(int argc, char **argv) {
        Readers readers = { 0 };
        char path[PATH_MAX];
        uint64_t begin, end;
        int r;

        if (argc < 6)
                return EXIT_FAILURE;
        (void) snprintf(path, sizeof(path), "%s/instances/%s", argv[1], argv[2]);

        begin = now();
        if (mkdir(path, 0700) < 0 || chdir(path) < 0)
                r = -errno;
        else
                r = set_up(argv + 3, &readers);
        end = now();

        for (int i = 0; i < readers.n; i++)
                (void) close(readers.fds[i]);
        if (chdir("/") < 0 || rmdir(path) < 0 || r < 0) {
                (void) fprintf(stderr, "by-hand: %s: %s\n", path, strerror(r < 0 ? -r : errno));
                return EXIT_FAILURE;
        }
        (void) printf("%" PRIu64 "\n", end - begin);
        return EXIT_SUCCESS;
}
