/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/report-stream.h"
#include "client/report.h"

typedef struct Segments {
        ReportSegment *segments;
        size_t n_segments;
} Segments;

/* What the child tells at its end; the text of the error follows. A child that ends without it crashed. */
typedef struct Outcome {
        int r;
        ErrorCode code;
} Outcome;

#define ERROR_LENGTH 16384U

void report_options_clear(ReportOptions *options) {
        record_selection_clear(&options->selection);
        *options = REPORT_OPTIONS_INIT;
}

static void segments_clear(Segments *segments) {
        for (size_t i = 0; i < segments->n_segments; i++) {
                free(segments->segments[i].name);
                closep(&segments->segments[i].fd);
        }
        free(segments->segments);
}

/* Takes the descriptors, also on failure. */
static int add_segments(Segments *segments, const int *fds, size_t n_fds, Error *error) {
        segments->segments = calloc(n_fds, sizeof(*segments->segments));
        if (!segments->segments) {
                for (size_t i = 0; i < n_fds; i++)
                        (void) close(fds[i]);
                return error_set(error, ERROR_NO_MEMORY, "out of memory");
        }
        segments->n_segments = n_fds;
        for (size_t i = 0; i < n_fds; i++)
                segments->segments[i].fd = fds[i];
        for (size_t i = 0; n_fds > 1 && i < n_fds; i++)
                if (asprintf(&segments->segments[i].name, "segment %zu of %zu", i + 1, n_fds) < 0) {
                        segments->segments[i].name = NULL;
                        return error_set(error, ERROR_NO_MEMORY, "out of memory");
                }
        return 0;
}

static int open_source(const ReportOptions *options, Segments *segments, Error *error) {
        CLEANUP_FREE int *fds = NULL;
        struct stat st;
        size_t n_fds = 0;
        int r;

        if (!options->open_segments || strchr(options->source, '/') || stat(options->source, &st) == 0) {
                /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
                int fd = open(options->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

                if (fd < 0)
                        return error_set_errno(error, -errno, "cannot be opened");
                return add_segments(segments, &fd, 1, error);
        }
        r = options->open_segments(options->source, options->userdata, &fds, &n_fds, error);
        if (r < 0)
                return error_set_errno(error, r, "cannot be opened");
        if (n_fds == 0)
                return error_set(error, ERROR_NO_SUCH_SEGMENT, "nothing was recorded");
        return add_segments(segments, fds, n_fds, error);
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

static _Noreturn void run_child(const ReportOptions *options, const Segments *segments, pid_t parent, FILE *out,
                                volatile ReportPhase *phase, int outcome_fd) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        sigset_t none;
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(EXIT_FAILURE);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGINT, SIG_DFL);
        (void) signal(SIGTERM, SIG_DFL);
        (void) signal(SIGPROF, SIG_DFL);
        (void) signal(SIGPIPE, SIG_IGN);
        /* A hostile file must not make core dumps. */
        (void) setrlimit(RLIMIT_CORE, &(struct rlimit){});
        (void) prctl(PR_SET_DUMPABLE, 0);
        silence_stderr();
        r = report_stream(options, segments->segments, segments->n_segments, out, phase, &error);
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

static int crashed(int status, ReportPhase phase, char *const *filters, Error *error) {
        if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM))
                return error_set(error, ERROR_CANCELLED, "interrupted");
        if (phase == REPORT_COMPILING && filters && filters[0])
                return bad_filter(filters, error);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
                return error_set(error, ERROR_INVALID_ARGUMENT, "damaged; decoding it came to no end");
        if (WIFSIGNALED(status))
                return error_set(error, ERROR_INVALID_ARGUMENT, "damaged; decoding it failed (%s)",
                                 strsignal(WTERMSIG(status)));
        return error_set(error, ERROR_INVALID_ARGUMENT, "damaged; decoding it failed");
}

static int finish(const ReportOptions *options, pid_t pid, const volatile ReportPhase *phase, int outcome_fd,
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
                return crashed(status, *phase, options->selection.filters, error);
        memcpy(&outcome, buffer, sizeof(outcome));
        if (outcome.r >= 0 || outcome.r == -EPIPE)
                return 0;
        (void) error_set(error, outcome.code, "%s", buffer + sizeof(outcome));
        return outcome.r;
}

/* In a child, with the descriptors that have been opened. */
static int decode_apart(const ReportOptions *options, const Segments *segments, FILE *out,
                        volatile ReportPhase *phase, Error *error) {
        CLEANUP_CLOSE int reading = -1, writing = -1;
        pid_t parent = getpid(), pid;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set_errno(error, -errno, "no process can be started to decode it");
        reading = fds[0];
        writing = fds[1];
        /* What is buffered would be written twice. */
        if (fflush(out) != 0)
                return error_set_errno(error, -errno, "cannot be printed");
        pid = fork();
        if (pid < 0)
                return error_set_errno(error, -errno, "no process can be started to decode it");
        if (pid == 0)
                run_child(options, segments, parent, out, phase, writing);
        closep(&writing);
        writing = -1;
        return finish(options, pid, phase, reading, error);
}

int report_run(const ReportOptions *options, FILE *out, Error *error) {
        CLEANUP(segments_clear) Segments segments = {};
        volatile ReportPhase *phase;
        int r;

        r = open_source(options, &segments, error);
        if (r < 0)
                return r;
        phase = mmap(NULL, sizeof(*phase), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (phase == MAP_FAILED)
                return error_set_errno(error, -errno, "no process can be started to decode it");
        *phase = REPORT_READING;
        r = decode_apart(options, &segments, out, phase, error);
        (void) munmap((void *) phase, sizeof(*phase));
        return r;
}
