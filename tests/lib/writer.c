/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program whose system calls are known exactly: `writer COUNT [CHUNK]` says "ready" on stdout (one write
 * call), waits for a byte on stdin, makes COUNT write calls of one byte to /dev/null, CHUNK at a time, with a
 * byte from stdin awaited before each further chunk, says "done" and waits for the end of stdin.
 *
 * So it makes COUNT + 1 + number of chunks write calls in all, of which the test sees those made while it traces;
 * the COUNT calls can be told apart by their file descriptor, which is 9.
 *
 * `writer fork CHILDREN COUNT` does the COUNT calls in each of CHILDREN child processes forked after the go.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITER_FD 9

static int say(const char *text) {
        size_t length = strlen(text);

        return write(STDOUT_FILENO, text, length) == (ssize_t) length ? 0 : -EIO;
}

/* False at the end of stdin. */
static int wait_for_go(void) {
        char c = 0;

        return read(STDIN_FILENO, &c, 1) == 1;
}

static int write_times(unsigned long count) {
        for (unsigned long i = 0; i < count; i++)
                if (write(WRITER_FD, "x", 1) != 1)
                        return -errno;
        return 0;
}

static int run_chunks(unsigned long count, unsigned long chunk) {
        for (unsigned long done = 0; done < count; done += chunk) {
                unsigned long n = count - done < chunk ? count - done : chunk;
                int r = 0;

                if (!wait_for_go())
                        return 0;
                r = write_times(n);
                if (r == 0)
                        r = say("done\n");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int run_children(unsigned long children, unsigned long count) {
        if (!wait_for_go())
                return 0;
        for (unsigned long i = 0; i < children; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        return -errno;
                if (pid == 0)
                        _exit(write_times(count) < 0);
        }
        for (unsigned long i = 0; i < children; i++) {
                int status = 0;

                if (wait(&status) < 0 || status != 0)
                        return -ECHILD;
        }
        return say("done\n");
}

int main(int argc, char **argv) {
        int fd = open("/dev/null", O_WRONLY);
        int r = 0;

        if (argc < 2 || fd < 0 || dup2(fd, WRITER_FD) < 0)
                return EXIT_FAILURE;
        r = say("ready\n");
        if (r == 0 && argc == 4 && strcmp(argv[1], "fork") == 0) {
                r = run_children(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
        } else if (r == 0) {
                unsigned long count = strtoul(argv[1], NULL, 10);

                r = run_chunks(count, argc > 2 ? strtoul(argv[2], NULL, 10) : count);
        }
        while (r == 0 && wait_for_go())
                ;
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
