/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Processes that come and go quicker than anybody can look at them.
 *
 *      storm chains WIDTH
 *
 * With no_new_privs, keeps WIDTH chains going: each process writes its number to stdout (32 bits), calls
 * getpgid(CHAIN_MARK + uid), forks the next one and ends. It ends with all of them when stdin does.
 *
 *      storm take
 *
 * For each line on stdin, a number, makes a process that has it (clone3(2), set_tid; Linux 5.5) as soon as it is
 * free. The process is called "somebody-else" and calls getpgid(TAKER_MARK). Then "taken" is on stdout, or "not".
 */

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHAIN_MARK 0x5e10000
#define TAKER_MARK 0x0f0e0
#define TAKER_CALLS 20
#define TAKER_TRIES 20000

static void pause_usec(unsigned usec) {
        const struct timespec pause = { .tv_nsec = (long) usec * 1000 };

        (void) nanosleep(&pause, NULL);
}

static void chain(const volatile bool *stop, unsigned seed) {
        while (!*stop) {
                const int32_t pid = (int32_t) getpid();
                pid_t next;

                if (write(STDOUT_FILENO, &pid, sizeof(pid)) != sizeof(pid))
                        break;
                (void) syscall(SYS_getpgid, CHAIN_MARK + (int) getuid());
                seed = seed * 1103515245U + 12345U;
                /* Most end while they are being added, and some after it. */
                pause_usec(seed / 65536U % 8U == 0 ? 400000U : seed / 65536U % 20000U);
                next = fork();
                if (next != 0)
                        _exit(next < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        }
        _exit(EXIT_SUCCESS);
}

static int run_chains(unsigned width) {
        volatile bool *stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        char c;

        /* Those whose parent has ended become this one's children, and are reaped as they end. */
        if (stop == MAP_FAILED || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR)
                return EXIT_FAILURE;
        for (unsigned i = 0; i < width; i++)
                if (fork() == 0)
                        chain(stop, i + 1);
        while (read(STDIN_FILENO, &c, 1) > 0)
                ;
        *stop = true;
        while (wait(NULL) >= 0 || errno == EINTR)
                ;
        return EXIT_SUCCESS;
}

static pid_t fork_as(pid_t pid) {
        struct clone_args arguments = {
                .exit_signal = SIGCHLD,
                .set_tid = (uint64_t) (uintptr_t) &pid,
                .set_tid_size = 1,
        };

        return (pid_t) syscall(SYS_clone3, &arguments, sizeof(arguments));
}

static bool take(pid_t pid) {
        for (unsigned i = 0; i < TAKER_TRIES; i++) {
                pid_t child = fork_as(pid);

                if (child == 0) {
                        (void) prctl(PR_SET_NAME, "somebody-else", 0, 0, 0);
                        for (unsigned n = 0; n < TAKER_CALLS; n++) {
                                (void) syscall(SYS_getpgid, TAKER_MARK);
                                pause_usec(500);
                        }
                        _exit(EXIT_SUCCESS);
                }
                if (child > 0)
                        return waitpid(child, NULL, 0) == child;
                if (errno != EEXIST)
                        return false;
                pause_usec(20);
        }
        return false;
}

static int run_take(void) {
        char line[32];

        while (fgets(line, sizeof(line), stdin)) {
                const long pid = strtol(line, NULL, 10);

                (void) puts(pid > 0 && take((pid_t) pid) ? "taken" : "not");
                (void) fflush(stdout);
        }
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "chains") == 0)
                return run_chains((unsigned) strtoul(argv[2], NULL, 10));
        if (argc == 2 && strcmp(argv[1], "take") == 0)
                return run_take();
        return EXIT_FAILURE;
}
