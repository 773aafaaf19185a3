/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture-test.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t now_usec(void) {
        struct timespec ts;

        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

char *make_tree(void) {
        const char *base = getenv("TMPDIR");
        char *path = path_of(base ? base : "/var/tmp", "ktraced-test-XXXXXX");

        if (!mkdtemp(path))
                fail_msg("%s: %s", path, strerror(errno));
        return path;
}

static void shell(const char *command) {
        if (system(command) != 0) /* NOLINT(cert-env33-c): with our own words only */
                fail_msg("failed: %s", command);
}

void remove_tree(char *path) {
        char command[4096];

        (void) snprintf(command, sizeof(command), "rm -rf '%s'", path);
        shell(command);
        free(path);
}

char *path_of(const char *directory, const char *name) {
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
        return path;
}

Instance *instance_for(bool own, uint64_t buffer_size) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec(EVENT);
        pid_t pid = getpid();

        spec_give_number(spec, SPEC_BUFFER_SIZE, buffer_size);
        if (own)
                spec_give_pids(spec, &pid, 1, true);
        configure(instance, spec);
        return instance;
}

void make_events(unsigned n) {
        for (unsigned i = 0; i < n; i++)
                (void) syscall(SYS_getppid);
}

static void move_to_cpu(unsigned cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        (void) sched_setaffinity(0, sizeof(set), &set);
}

void make_events_in_children(unsigned n_children, unsigned n) {
        long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

        for (unsigned i = 0; i < n_children; i++) {
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0) {
                        move_to_cpu((unsigned) (i % (unsigned long) n_cpus));
                        make_events(n);
                        _exit(0);
                }
        }
        for (unsigned i = 0; i < n_children; i++) {
                int status = 1;

                assert_true(wait(&status) > 0);
                assert_int_equal(status, 0);
        }
}

pid_t begin_load(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                /* Not to be left behind by a test that failed. */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        make_events(1);
        }
        return pid;
}

void end_load(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

long count_events(const char *path, pid_t pid) {
        char command[4096], *line = NULL, wanted[32];
        bool complained = false;
        size_t size = 0;
        FILE *report;
        long n = 0;

        (void) snprintf(command, sizeof(command), "exec trace-cmd report -i '%s' 2>&1", path);
        (void) snprintf(wanted, sizeof(wanted), "-%d ", pid);
        report = popen(command, "r"); /* NOLINT(cert-env33-c): with our own words only */
        assert_non_null(report);
        while (getline(&line, &size, report) > 0) {
                if (strncmp(line, "cpus=", 5) == 0 || strstr(line, "EVENTS DROPPED"))
                        continue;
                if (!strstr(line, ": sys_enter_getppid: ")) {
                        complained = true;
                        (void) printf("# trace-cmd: %s", line);
                } else if (pid == 0 || strstr(line, wanted))
                        n++;
        }
        free(line);
        return pclose(report) == 0 && !complained ? n : -1;
}

bool is_valid(const char *path) {
        char command[4096];

        (void) snprintf(command, sizeof(command), "exec trace-cmd dump --validate -i '%s' > /dev/null 2>&1", path);
        return system(command) == 0; /* NOLINT(cert-env33-c): with our own words only */
}

long count_capture(const char *directory, const CaptureMetadata *metadata, pid_t pid) {
        long n = 0;

        for (size_t i = 0; i < metadata->n_segments; i++) {
                char file[STORE_SEGMENT_NAME_MAX];
                CLEANUP_FREE char *path = NULL;
                long m;

                store_segment_name(metadata->segments[i].number, file);
                path = path_of(directory, file);
                assert_true(is_valid(path));
                m = count_events(path, pid);
                assert_true(m >= 0);
                assert_int_equal(metadata->segments[i].bytes, file_size(path));
                if (pid == 0)
                        assert_int_equal(metadata->segments[i].events, m);
                n += m;
        }
        return n;
}

uint64_t file_size(const char *path) {
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        return (uint64_t) st.st_size;
}

uint64_t file_usage(const char *path) {
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        return (uint64_t) st.st_blocks * 512;
}

TestPump pump_begin_on(Instance *instance, const char *directory) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        char system[] = "syscalls";
        char *systems[] = { system, NULL };
        TestPump pump = { .instance = instance };

        pump.directory = path_of(directory, "store");
        if (store_open(pump.directory, &error, &pump.store) < 0 ||
            pump_new(&(PumpConfig){ .instance = instance, .systems = systems }, &error, &pump.pump) < 0)
                fail_msg("%s", error_text(&error));
        return pump;
}

TestPump pump_begin(bool own, uint64_t buffer_size, const char *directory) {
        return pump_begin_on(instance_for(own, buffer_size), directory);
}

void pump_end(TestPump *pump) {
        if (pump->pump) {
                assert_int_equal(pump_stop(pump->pump, "stopped"), 0);
                pump_expect(pump, PUMP_FINISHED, 0);
                pump_free(pump->pump);
        }
        assert_int_equal(instance_destroy(pump->instance), 0);
        store_free(pump->store);
        free(pump->directory);
}

CaptureMetadata *test_metadata(const char *id) {
        CaptureMetadata *metadata = NULL;
        char **fields[] = { NULL, NULL, NULL, NULL, NULL, NULL, NULL };

        assert_int_equal(metadata_new(&metadata), 0);
        fields[0] = &metadata->session_id;
        fields[1] = &metadata->session_name;
        fields[2] = &metadata->spec_json;
        fields[3] = &metadata->kernel;
        fields[4] = &metadata->boot_id;
        fields[5] = &metadata->machine_id;
        fields[6] = &metadata->clock;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                free(*fields[i]);
                *fields[i] = strdup(i == 2 ? "{}" : "test");
                assert_non_null(*fields[i]);
        }
        free(metadata->id);
        metadata->id = strdup(id);
        assert_non_null(metadata->id);
        metadata->state = CAPTURE_ACTIVE;
        metadata->start_realtime = 1;
        return metadata;
}

static void add(TestPump *pump, uint64_t sink_id, const SinkConfig *config) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Sink *sink = NULL;

        if (sink_new(config, &error, &sink) < 0)
                fail_msg("%s", error_text(&error));
        assert_int_equal(pump_add_sink(pump->pump, sink_id, sink), 0);
}

char *pump_add(TestPump *pump, uint64_t sink_id, uint64_t segment_size, uint64_t segment_age, uint64_t segments_max) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_FREE char *id = NULL;
        int fd = -1;

        if (store_create_capture(pump->store, &error, &id, &fd) < 0)
                fail_msg("%s", error_text(&error));
        add(pump, sink_id,
            &(SinkConfig){
                    .dir_fd = fd,
                    .output_fd = -1,
                    .segment_size = segment_size > 0 ? segment_size : 64U << 20,
                    .segment_age = segment_age,
                    .segments_max = segments_max,
                    .metadata = test_metadata(id),
            });
        return path_of(pump->directory, id);
}

void pump_add_output(TestPump *pump, uint64_t sink_id, int fd) {
        add(pump, sink_id, &(SinkConfig){ .dir_fd = -1, .output_fd = fd, .metadata = test_metadata("output") });
}

PumpReport *pump_wait(TestPump *pump, PumpReportType type, uint64_t sink_id) {
        struct pollfd fd = { .fd = pump_fd(pump->pump), .events = POLLIN };
        uint64_t end = now_usec() + UINT64_C(60000000);

        while (now_usec() < end) {
                CLEANUP(pump_report_freep) PumpReport *report = pump_take_report(pump->pump);

                if (!report) {
                        (void) poll(&fd, 1, 1000);
                        continue;
                }
                if (report->type == PUMP_SEGMENT_CLOSED)
                        pump->n_segments++;
                if (report->type == PUMP_TRACING_LOST)
                        pump->lost = true;
                if (report->type == type && (sink_id == 0 || report->sink_id == sink_id))
                        return STEAL_PTR(report);
                if (report->r < 0)
                        (void) printf("# report %d of sink %llu: %s\n", (int) report->type,
                                      (unsigned long long) report->sink_id, error_text(&report->error));
        }
        fail_msg("no report of type %d came", (int) type);
        return NULL;
}

void pump_expect(TestPump *pump, PumpReportType type, uint64_t sink_id) {
        CLEANUP(pump_report_freep) PumpReport *report = pump_wait(pump, type, sink_id);

        if (report->r < 0)
                fail_msg("%s", error_text(&report->error));
}
