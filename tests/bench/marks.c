/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Numbered lines in a trace: `marks FILE CPU USEC` pins itself to the CPU, says "ready" and writes "mark 1", "mark 2"
 * and so on to FILE, the trace_marker of an instance, one every USEC, until SIGTERM. Then it says how many there
 * were, and the longest time from one to the next in usec.
 */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000L

static volatile sig_atomic_t ending;

static void on_signal(int number) {
        ending = number;
}

static int pin(unsigned long cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set);
}

static int64_t now_nsec(struct timespec *ret) {
        (void) clock_gettime(CLOCK_MONOTONIC, ret);
        return (int64_t) ret->tv_sec * NSEC_PER_SEC + ret->tv_nsec;
}

static int mark(int fd, unsigned long number) {
        char text[32];
        int length = snprintf(text, sizeof(text), "mark %lu", number);

        return write(fd, text, (size_t) length) == length ? 0 : -1;
}

int main(int argc, char **argv) {
        unsigned long number = 0;
        int64_t last, longest = 0;
        struct timespec next;
        long interval;
        int fd;

        if (argc != 4 || pin(strtoul(argv[2], NULL, 10)) < 0)
                return EXIT_FAILURE;
        interval = strtol(argv[3], NULL, 10) * 1000;
        fd = open(argv[1], O_WRONLY | O_CLOEXEC);
        if (fd < 0 || interval <= 0 || interval >= NSEC_PER_SEC || signal(SIGTERM, on_signal) == SIG_ERR)
                return EXIT_FAILURE;
        (void) prctl(PR_SET_TIMERSLACK, 1UL);
        (void) puts("ready");
        (void) fflush(stdout);

        last = now_nsec(&next);
        while (!ending) {
                struct timespec now;
                int64_t time;

                if (mark(fd, ++number) < 0)
                        return EXIT_FAILURE;
                time = now_nsec(&now);
                if (time - last > longest)
                        longest = time - last;
                last = time;
                next.tv_nsec += interval;
                if (next.tv_nsec >= NSEC_PER_SEC) {
                        next.tv_nsec -= NSEC_PER_SEC;
                        next.tv_sec++;
                }
                (void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
        (void) printf("%lu %lld\n", number, (long long) (longest / 1000));
        return EXIT_SUCCESS;
}
