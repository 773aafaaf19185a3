/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program that tries to get out of a session of scope "self", or to get somebody else into it.
 *
 *   leaver mark                 makes system calls that can be told in a trace: getpgid(MARK)
 *   leaver who                  the same, and prints its user and group ids, real and effective
 *   leaver WAY [PROGRAM ...]    leaves in one of the ways below, then executes PROGRAM, or makes the calls
 *   leaver next PID             makes tasks until PID is the next number to be given, prints "near", waits for a
 * line, and makes tasks again until one has that number, which makes the calls with getpgid(FOREIGN_MARK), as does a
 * child of it
 */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK 0x5e1f0
#define FOREIGN_MARK 0x0f0e0
#define N_CALLS 20
#define NEAR 30      /* of which others may hold some */
#define FAR 200      /* numbers that others may take meanwhile */
#define RESERVED 300 /* numbers at the beginning that are given once only */
#define TRIES 2000

static char **program;

static void make_calls(int mark) {
        for (unsigned i = 0; i < N_CALLS; i++)
                (void) syscall(SYS_getpgid, mark);
}

static void go_on(void) {
        if (program[0]) {
                execv(program[0], program);
                perror(program[0]);
                _exit(EXIT_FAILURE);
        }
        make_calls(MARK);
        _exit(EXIT_SUCCESS);
}

static void *execute(void *userdata) {
        go_on();
        return NULL;
}

static int wait_for(pid_t pid) {
        int status = EXIT_FAILURE;

        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return EXIT_FAILURE;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int leave(const char *way) {
        pthread_t thread;
        pid_t pid;

        if (strcmp(way, "exec") == 0)
                go_on();
        if (strcmp(way, "user-namespace") == 0) {
                if (unshare(CLONE_NEWUSER) < 0)
                        perror("unshare");
                go_on();
        }
        if (strcmp(way, "thread-exec") == 0) {
                if (pthread_create(&thread, NULL, execute, NULL) != 0)
                        return EXIT_FAILURE;
                (void) pthread_join(thread, NULL);
                return EXIT_FAILURE;
        }
        if (strcmp(way, "vfork") == 0) {
                pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): the way to test */
                if (pid == 0) {
                        execv(program[0], program);
                        _exit(EXIT_FAILURE);
                }
                return wait_for(pid);
        }
        if (strcmp(way, "clone-parent") == 0) {
                pid = (pid_t) syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
                if (pid == 0)
                        go_on();
                (void) sleep(1); /* it is nobody's that could be waited for */
                return pid > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        if (strcmp(way, "session") == 0 || strcmp(way, "double-fork") == 0) {
                pid = fork();
                if (pid == 0) {
                        if (setsid() < 0)
                                _exit(EXIT_FAILURE);
                        if (way[0] == 'd' && fork() != 0)
                                _exit(EXIT_SUCCESS);
                        go_on();
                }
                (void) wait_for(pid);
                (void) sleep(1);
                return EXIT_SUCCESS;
        }
        return EXIT_FAILURE;
}

/* Uses so many numbers up, each by a task that cannot be made, since there is no room for its descriptor. */
static void use_up(int n) {
        static char stack[4096] __attribute__((aligned(16)));
        int pidfd = -1;

        while (n-- > 0)
                if (syscall(SYS_clone, CLONE_PIDFD | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND,
                            stack + sizeof(stack), &pidfd, NULL, NULL) == 0)
                        _exit(EXIT_FAILURE);
}

static int read_pid_max(void) {
        FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
        char line[32] = "";

        if (file && !fgets(line, sizeof(line), file))
                line[0] = '\0';
        if (file)
                (void) fclose(file);
        return (int) strtol(line, NULL, 10);
}

static int take_number(pid_t wanted) {
        const struct rlimit no_more = { STDERR_FILENO + 1, STDERR_FILENO + 1 };
        int pid_max = read_pid_max(), distance;
        pid_t pid;

        (void) close_range(STDERR_FILENO + 1, ~0U, 0);
        if (pid_max == 0 || setrlimit(RLIMIT_NOFILE, &no_more) < 0)
                return EXIT_FAILURE;

        do {
                pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): the way to test */
                if (pid == 0)
                        _exit(EXIT_SUCCESS);
                if (pid < 0 || waitpid(pid, NULL, 0) < 0)
                        return EXIT_FAILURE;
                distance = wanted - pid > 0 ? wanted - pid : wanted - pid + pid_max - RESERVED;
                if (distance > 2 * FAR)
                        use_up(distance - FAR);
        } while (pid >= wanted || pid < wanted - NEAR);
        puts("near");
        (void) fflush(stdout);
        (void) getchar();
        for (unsigned i = 0; i < TRIES; i++) {
                pid = fork();
                if (pid == 0) {
                        if (getpid() != wanted)
                                _exit(EXIT_SUCCESS);
                        (void) prctl(PR_SET_NAME, "somebody-else");
                        make_calls(FOREIGN_MARK);
                        if (fork() == 0)
                                make_calls(FOREIGN_MARK);
                        _exit(EXIT_SUCCESS);
                }
                if (pid == wanted) {
                        puts("taken");
                        return wait_for(pid);
                }
                (void) waitpid(pid, NULL, WNOHANG);
        }
        puts("missed");
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        if (argc < 2)
                return EXIT_FAILURE;
        program = argv + 2;
        if (strcmp(argv[1], "next") == 0)
                return argc == 3 ? take_number((pid_t) strtol(argv[2], NULL, 10)) : EXIT_FAILURE;
        if (strcmp(argv[1], "who") == 0)
                printf("%u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
        if (strcmp(argv[1], "who") == 0 || strcmp(argv[1], "mark") == 0) {
                make_calls(MARK);
                return EXIT_SUCCESS;
        }
        return leave(argv[1]);
}
