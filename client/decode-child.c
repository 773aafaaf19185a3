/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/decode-child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child tells at its end; the text of the error follows. A child that ends without it crashed. */
typedef struct Outcome {
        int r;
        ErrorCode code;
} Outcome;

#define ERROR_LENGTH 16384U

void decode_watch_stall(long seconds) {
        (void) setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
}

int decode_open_signals(int *ret_fd) {
        sigset_t signals;
        int fd;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGHUP);
        fd = signalfd(-1, &signals, SFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* For libtracecmd, which perror()s; what matters of it comes back as an error. */
static void silence_stderr(void) {
        CLEANUP_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        if (null >= 0)
                (void) dup2(null, STDERR_FILENO);
}

static void write_outcome(int fd, int r, const Error *error) {
        Outcome outcome = { .r = r, .code = error->code };
        char buffer[sizeof(outcome) + ERROR_LENGTH];
        size_t n = r < 0 ? strnlen(error_text(error), ERROR_LENGTH) : 0, done = 0;

        memcpy(buffer, &outcome, sizeof(outcome));
        memcpy(buffer + sizeof(outcome), error_text(error), n);
        n += sizeof(outcome);
        while (done < n) {
                ssize_t k = write(fd, buffer + done, n - done);

                if (k < 0 && errno != EINTR)
                        return;
                done += k > 0 ? (size_t) k : 0;
        }
}

static _Noreturn void run_child(const DecodeChild *child, pid_t parent, FILE *out, volatile DecodePhase *phase,
                                int outcome_fd) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        sigset_t none;
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(EXIT_FAILURE);
        (void) sigemptyset(&none);
        if (!child->forward_signals)
                (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGINT, SIG_DFL);
        (void) signal(SIGTERM, SIG_DFL);
        (void) signal(SIGPROF, SIG_DFL);
        (void) signal(SIGPIPE, SIG_IGN);
        /* A hostile file must not make core dumps. */
        (void) setrlimit(RLIMIT_CORE, &(struct rlimit){});
        (void) prctl(PR_SET_DUMPABLE, 0);
        silence_stderr();
        r = child->run(child->userdata, out, phase, &error);
        write_outcome(outcome_fd, r, &error);
        _exit(EXIT_SUCCESS);
}

/* Everything up to the end; at most `size` - 1 bytes and a NUL. */
static int read_outcome(int fd, char *buffer, size_t size, size_t *ret) {
        size_t n = 0;

        for (;;) {
                ssize_t k = read(fd, buffer + n, size - 1 - n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }
        buffer[n] = '\0';
        *ret = n;
        return 0;
}

static int wait_child(pid_t pid, int *ret_status) {
        while (waitpid(pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* libtraceevent crashes on filters that end too early. It is not known on which. */
static int bad_filter(char *const *filters, Error *error) {
        if (!filters[1])
                return error_set(error, ERROR_BAD_FILTER, "filter \"%s\": incomplete", filters[0]);
        return error_set(error, ERROR_BAD_FILTER, "a filter expression is incomplete");
}

static int crashed(int status, DecodePhase phase, char *const *filters, Error *error) {
        if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM))
                return error_set(error, ERROR_CANCELLED, "interrupted");
        if (phase == DECODE_COMPILING && filters && filters[0])
                return bad_filter(filters, error);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
                return error_set(error, ERROR_INVALID_ARGUMENT, "damaged; decoding it came to no end");
        if (WIFSIGNALED(status))
                return error_set(error, ERROR_INVALID_ARGUMENT, "damaged; decoding it failed (%s)",
                                 strsignal(WTERMSIG(status)));
        return error_set(error, ERROR_INVALID_ARGUMENT, "damaged; decoding it failed");
}

/* Passes signals on until the child has said how it ended, or is gone. */
static void forward_signals(pid_t pid, int signal_fd, int outcome_fd) {
        struct pollfd fds[] = {
                { .fd = outcome_fd, .events = POLLIN },
                { .fd = signal_fd, .events = POLLIN },
        };

        while (fds[0].revents == 0) {
                struct signalfd_siginfo info;

                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return;
                if (fds[1].revents != 0 && read(signal_fd, &info, sizeof(info)) == sizeof(info))
                        (void) kill(pid, (int) info.ssi_signo);
        }
}

static int finish(const DecodeChild *child, pid_t pid, const volatile DecodePhase *phase, int outcome_fd,
                  Error *error) {
        char buffer[sizeof(Outcome) + ERROR_LENGTH + 1];
        Outcome outcome;
        size_t n = 0;
        int status = 0, r, q;

        r = read_outcome(outcome_fd, buffer, sizeof(buffer), &n);
        q = wait_child(pid, &status);
        if (r < 0 || q < 0)
                return error_set_errno(error, r < 0 ? r : q, "the decoding process is gone");
        if (n < sizeof(outcome))
                return crashed(status, *phase, child->filters, error);
        memcpy(&outcome, buffer, sizeof(outcome));
        if (outcome.r >= 0 || outcome.r == -EPIPE)
                return 0;
        (void) error_set(error, outcome.code, "%s", buffer + sizeof(outcome));
        return outcome.r;
}

/* With the descriptors that have been opened. */
static int run(const DecodeChild *child, FILE *out, volatile DecodePhase *phase, Error *error) {
        CLEANUP_CLOSE int reading = -1, writing = -1, signal_fd = -1;
        pid_t parent = getpid(), pid;
        int fds[2], r = 0;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set_errno(error, -errno, "no process can be started to decode it");
        reading = fds[0];
        writing = fds[1];
        if (child->forward_signals)
                r = decode_open_signals(&signal_fd);
        if (r < 0)
                return error_set_errno(error, r, "no process can be started to decode it");
        /* What is buffered would be written twice. */
        if (fflush(out) != 0)
                return error_set_errno(error, -errno, "cannot be printed");
        pid = fork();
        if (pid < 0)
                return error_set_errno(error, -errno, "no process can be started to decode it");
        if (pid == 0)
                run_child(child, parent, out, phase, writing);
        closep(&writing);
        writing = -1;
        if (child->forward_signals)
                forward_signals(pid, signal_fd, reading);
        return finish(child, pid, phase, reading, error);
}

int decode_child_run(const DecodeChild *child, FILE *out, Error *error) {
        volatile DecodePhase *phase;
        int r;

        phase = mmap(NULL, sizeof(*phase), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (phase == MAP_FAILED)
                return error_set_errno(error, -errno, "no process can be started to decode it");
        *phase = DECODE_READING;
        r = run(child, out, phase, error);
        (void) munmap((void *) phase, sizeof(*phase));
        return r;
}
