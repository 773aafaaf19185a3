/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A load of system calls on one CPU: `load CPU COUNT` pins itself to the CPU, says "ready" on stdout, waits for a
 * byte on stdin, makes COUNT write calls of one byte to /dev/null as fast as it can (0: without end), says "done"
 * and waits for the end of stdin.
 */

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static int pin(unsigned long cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set);
}

static bool say(const char *text, size_t length) {
        return write(STDOUT_FILENO, text, length) == (ssize_t) length;
}

int main(int argc, char **argv) {
        unsigned long count;
        char c;
        int fd;

        if (argc != 3 || pin(strtoul(argv[1], NULL, 10)) < 0)
                return EXIT_FAILURE;
        count = strtoul(argv[2], NULL, 10);
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || !say("ready\n", 6) || read(STDIN_FILENO, &c, 1) != 1)
                return EXIT_FAILURE;

        for (unsigned long i = 0; count == 0 || i < count; i++)
                if (write(fd, "x", 1) != 1)
                        return EXIT_FAILURE;

        if (!say("done\n", 5))
                return EXIT_FAILURE;
        while (read(STDIN_FILENO, &c, 1) == 1)
                ;
        return EXIT_SUCCESS;
}
