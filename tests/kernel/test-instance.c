/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <tracefs.h>
#include <unistd.h>

#include "kernel-test.h"
#include "kernel/catalog.h"

static const char *const systems[] = { "sched", "syscalls", "raw_syscalls", NULL };

/* A system call that nobody else makes all the time, and that takes no argument. */
#define CALL_EVENT "sys_enter_getpgid"
#define N_CALLS 1000

static void call_many_times(void) {
        for (unsigned i = 0; i < N_CALLS; i++)
                (void) getpgid(0);
}

/* A child that makes the calls when told, and ends. */
typedef struct Caller {
        pid_t pid;
        int start_fd;
} Caller;

static Caller new_caller(void) {
        Caller caller;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        caller.pid = fork();
        assert_true(caller.pid >= 0);
        if (caller.pid == 0) {
                char go;

                (void) close(fds[1]);
                if (read(fds[0], &go, 1) == 1)
                        call_many_times();
                _exit(0);
        }
        (void) close(fds[0]);
        caller.start_fd = fds[1];
        return caller;
}

static void finish_caller(const Caller *caller) {
        assert_int_equal(write(caller->start_fd, "", 1), 1);
        assert_int_equal(waitpid(caller->pid, NULL, 0), caller->pid);
        (void) close(caller->start_fd);
}

static void start(Instance *instance) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (instance_set_tracing(instance, true, &error) < 0)
                fail_msg("%s", error_text(&error));
        assert_true(instance_is_tracing(instance));
}

static void stop(Instance *instance) {
        assert_int_equal(instance_set_tracing(instance, false, NULL), 0);
        assert_false(instance_is_tracing(instance));
}

static char *read_instance_file(Instance *instance, const char *file) {
        struct tracefs_instance *tracefs = tracefs_instance_alloc(NULL, instance_name(instance));
        char *text = tracefs_instance_file_read(tracefs, file, NULL);

        tracefs_instance_free(tracefs);
        return text;
}

static void assert_file(Instance *instance, const char *file, const char *expected) {
        CLEANUP_FREE char *text = read_instance_file(instance, file);

        assert_non_null(text);
        text[strcspn(text, "\n")] = '\0';
        assert_string_equal(text, expected);
}

static void is_made_with_tracing_off(void **state) {
        Instance *instance = new_instance();

        assert_false(instance_is_tracing(instance));
        assert_int_equal(strncmp(instance_name(instance), INSTANCE_PREFIX, strlen(INSTANCE_PREFIX)), 0);
        assert_true(tracefs_instance_exists(instance_name(instance)));
        assert_int_equal(instance_page_size(instance), sysconf(_SC_PAGESIZE));
        assert_true(instance_cpus(instance)->n_cpus >= (size_t) sysconf(_SC_NPROCESSORS_CONF));
        assert_true(instance_buffer_size(instance) > 0);
        assert_string_equal(instance_clock(instance), "local");
        assert_int_equal(instance_destroy(instance), 0);
}

static void is_busy_when_it_exists(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Instance *instance = new_instance(), *second = NULL;

        assert_true(instance_create(instance_name(instance) + strlen(INSTANCE_PREFIX), &error, &second) < 0);
        assert_int_equal(error.code, ERROR_BUSY);
        assert_non_null(strstr(error_text(&error), instance_name(instance)));
        assert_null(second);
        assert_int_equal(instance_destroy(instance), 0);
}

static void takes_all_settings(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("sched");
        const char *options[] = { "noirq-info", "sym-offset", NULL };
        const char *filters[] = { "sched:sched_switch", "prev_pid > 0", NULL };
        CLEANUP_FREE char *pids = NULL;
        char expected[16];
        pid_t self = getpid();

        spec_give_string(spec, SPEC_CLOCK, "mono");
        spec_give_number(spec, SPEC_BUFFER_SIZE, (1 << 20) + 1);
        spec_give_strings(spec, SPEC_OPTIONS, options);
        spec_give_strings(spec, SPEC_FILTERS, filters);
        spec_give_string(spec, SPEC_CPUS, "0");
        spec_give_pids(spec, &self, 1, true);
        configure(instance, spec);

        assert_string_equal(instance_clock(instance), "mono");
        assert_true(instance_buffer_size(instance) > 1 << 20);
        assert_true(instance_buffer_size(instance) < (1 << 20) + 4 * instance_page_size(instance));
        assert_file(instance, "options/irq-info", "0");
        assert_file(instance, "options/sym-offset", "1");
        assert_file(instance, "options/event-fork", "1");
        assert_file(instance, "tracing_cpumask", sysconf(_SC_NPROCESSORS_CONF) > 4 ? "01" : "1");
        assert_file(instance, "events/sched/sched_switch/filter", "prev_pid > 0");
        assert_file(instance, "events/sched/sched_switch/enable", "1");
        assert_file(instance, "events/sched/sched_wakeup/enable", "1");
        (void) snprintf(expected, sizeof(expected), "%d\n", self);
        pids = read_instance_file(instance, "set_event_pid");
        assert_non_null(strstr(pids, expected));
        assert_false(instance_is_tracing(instance));
        assert_int_equal(instance_destroy(instance), 0);
}

static void does_not_depend_on_the_defaults_of_the_top_level(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("sched:sched_switch");

        configure(instance, spec);
        assert_file(instance, "options/overwrite", "1");
        assert_file(instance, "options/markers", "1");
        assert_file(instance, "options/event-fork", "0");
        assert_file(instance, "options/stacktrace", "0");
        assert_int_equal(instance_destroy(instance), 0);
}

static void records_exactly_the_calls_of_its_process(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:getpgid");
        CLEANUP(recording_clear) Recording recording = { 0 };
        Caller traced = new_caller(), other = new_caller();

        spec_give_number(spec, SPEC_BUFFER_SIZE, 4 << 20);
        spec_give_pids(spec, &traced.pid, 1, false);
        configure(instance, spec);
        start(instance);
        finish_caller(&traced);
        finish_caller(&other);
        stop(instance);

        drain(instance, systems, &recording);
        assert_int_equal(recording_count(&recording, CALL_EVENT, traced.pid), N_CALLS);
        assert_int_equal(recording_count(&recording, "sys_exit_getpgid", traced.pid), N_CALLS);
        assert_int_equal(recording_count(&recording, NULL, 0), 2 * N_CALLS);
        assert_int_equal(instance_destroy(instance), 0);
}

static void follows_children_when_asked(void **state) {
        for (unsigned children = 0; children <= 1; children++) {
                Instance *instance = new_instance();
                CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:getpgid");
                CLEANUP(recording_clear) Recording recording = { 0 };
                pid_t self = getpid();
                Caller caller;

                spec_give_number(spec, SPEC_BUFFER_SIZE, 4 << 20);
                spec_give_pids(spec, &self, 1, children);
                configure(instance, spec);
                start(instance);
                caller = new_caller();
                finish_caller(&caller);
                stop(instance);

                drain(instance, systems, &recording);
                assert_int_equal(recording_count(&recording, CALL_EVENT, caller.pid), children ? N_CALLS : 0);
                assert_int_equal(instance_destroy(instance), 0);
        }
}

static void records_nothing_until_a_task_is_added(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:getpgid");
        CLEANUP(recording_clear) Recording before = { 0 }, after = { 0 };
        Caller caller = new_caller();

        spec_give_number(spec, SPEC_BUFFER_SIZE, 4 << 20);
        spec_give_pids(spec, NULL, 0, false);
        configure(instance, spec);
        start(instance);
        call_many_times();
        drain(instance, systems, &before);
        assert_int_equal(recording_count(&before, NULL, 0), 0);

        assert_int_equal(instance_add_tasks(instance, &caller.pid, 1, NULL), 0);
        call_many_times();
        finish_caller(&caller);
        stop(instance);
        drain(instance, systems, &after);
        assert_int_equal(recording_count(&after, CALL_EVENT, caller.pid), N_CALLS);
        assert_int_equal(recording_count(&after, NULL, 0), 2 * N_CALLS);
        assert_int_equal(instance_destroy(instance), 0);
}

static void leaves_out_what_is_excluded(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:getpgid");
        CLEANUP(recording_clear) Recording recording = { 0 };
        Caller traced = new_caller(), excluded = new_caller();
        const pid_t both[] = { traced.pid, excluded.pid };

        spec_give_number(spec, SPEC_BUFFER_SIZE, 4 << 20);
        spec_give_pids(spec, both, ELEMENTSOF(both), false);
        configure(instance, spec);
        assert_int_equal(instance_exclude_tasks(instance, NULL, 0, NULL), 0);
        assert_int_equal(instance_exclude_tasks(instance, &excluded.pid, 1, NULL), 0);
        start(instance);
        finish_caller(&traced);
        finish_caller(&excluded);
        stop(instance);
        drain(instance, systems, &recording);
        assert_int_equal(recording_count(&recording, CALL_EVENT, traced.pid), N_CALLS);
        assert_int_equal(recording_count(&recording, NULL, excluded.pid), 0);
        assert_int_equal(instance_destroy(instance), 0);
}

static void adds_no_task_to_an_instance_for_all(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:getpgid");
        pid_t self = getpid();

        configure(instance, spec);
        assert_true(instance_add_tasks(instance, &self, 1, &error) < 0);
        assert_int_equal(error.code, ERROR_WRONG_STATE);
        assert_int_equal(instance_destroy(instance), 0);
}

static void takes_many_tasks_at_once(void **state) {
        enum { N = 20000 };
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:getpgid");
        CLEANUP_FREE pid_t *tasks = calloc(N, sizeof(*tasks));
        CLEANUP_FREE char *text = NULL;
        size_t n_lines = 0;

        assert_non_null(tasks);
        for (int i = 0; i < N; i++)
                tasks[i] = 1000000 + i;
        spec_give_pids(spec, NULL, 0, false);
        configure(instance, spec);
        assert_int_equal(instance_add_tasks(instance, tasks, N, NULL), 0);
        text = read_instance_file(instance, "set_event_pid");
        assert_non_null(text);
        for (const char *p = text; *p; p++)
                n_lines += *p == '\n';
        assert_int_equal(n_lines, N + 1);
        assert_int_equal(instance_destroy(instance), 0);
}

static void records_on_the_chosen_cpus_only(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("sched:sched_switch");
        CLEANUP(recording_clear) Recording recording = { 0 };

        if (instance_cpus(instance)->n_cpus < 2) {
                assert_int_equal(instance_destroy(instance), 0);
                skip();
        }
        spec_give_string(spec, SPEC_CPUS, "1");
        configure(instance, spec);
        start(instance);
        for (unsigned cpu = 0; cpu < 2; cpu++) {
                cpu_set_t set;

                CPU_ZERO(&set);
                CPU_SET(cpu, &set);
                assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
                for (unsigned i = 0; i < 100; i++)
                        (void) usleep(100);
                CPU_SET(1 - cpu, &set);
                assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
        }
        stop(instance);
        drain(instance, systems, &recording);
        assert_true(recording_count(&recording, "sched_switch", 0) >= 100);
        for (size_t i = 0; i < recording.n_events; i++)
                assert_int_equal(recording.events[i].cpu, 1);
        assert_int_equal(instance_destroy(instance), 0);
}

static void records_what_the_filter_lets_through(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:sys_enter_getpgid");
        CLEANUP(recording_clear) Recording recording = { 0 };
        const char *filters[] = { "syscalls:sys_enter_getpgid", "pid == 1", NULL };
        pid_t self = getpid();

        spec_give_pids(spec, &self, 1, false);
        spec_give_strings(spec, SPEC_FILTERS, filters);
        configure(instance, spec);
        start(instance);
        call_many_times();
        (void) getpgid(1);
        stop(instance);
        drain(instance, systems, &recording);
        assert_int_equal(recording_count(&recording, CALL_EVENT, self), 1);
        assert_int_equal(recording.n_events, 1);
        assert_int_equal(instance_destroy(instance), 0);
}

static void reports_why_the_kernel_refuses_a_filter(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("sched:sched_switch");
        EventChoice choice = {
                .system = (char *) "sched",
                .name = (char *) "sched_switch",
                .filter = (char *) "prev_pid == 1 && nonsense == 2",
        };
        const EventSelection selection = { .choices = &choice, .n_choices = 1 };
        CLEANUP_FREE char *log = NULL;
        const char *command;

        /* Past catalog_resolve(), which would have found it. */
        assert_true(instance_configure(instance, spec, &selection, &error) < 0);
        assert_int_equal(error.code, ERROR_KERNEL_REFUSED);
        assert_non_null(strstr(error_text(&error), "sched:sched_switch"));
        command = strstr(error_text(&error), "\n  Command: prev_pid");
        assert_non_null(command);
        assert_int_equal(error_text(&error)[strlen(error_text(&error)) - 1], '^');
        log = read_instance_file(instance, "error_log");
        assert_non_null(log);
        assert_non_null(strstr(log, command));
        assert_int_equal(instance_destroy(instance), 0);
}

static void reports_what_an_instance_does_not_have(void **state) {
        CLEANUP(error_clear) Error no_option = ERROR_INIT;
        CLEANUP(error_clear) Error no_event = ERROR_INIT;
        CLEANUP(error_clear) Error no_memory = ERROR_INIT;
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("sched:sched_switch");
        CLEANUP(spec_freep) Spec *large = new_spec("sched:sched_switch");
        CLEANUP(spec_freep) Spec *plain = new_spec("sched:sched_switch");
        const char *options[] = { "norecord-cmd", NULL };
        EventChoice choice = { .system = (char *) "sched", .name = (char *) "nosuch" };
        const EventSelection selection = { .choices = &choice, .n_choices = 1 };

        spec_give_strings(spec, SPEC_OPTIONS, options);
        assert_true(instance_configure(instance, spec, &(EventSelection){ 0 }, &no_option) < 0);
        assert_int_equal(no_option.code, ERROR_NOT_SUPPORTED_BY_KERNEL);
        assert_non_null(strstr(error_text(&no_option), "norecord-cmd"));

        assert_true(instance_configure(instance, plain, &selection, &no_event) < 0);
        assert_int_equal(no_event.code, ERROR_NO_SUCH_EVENT);

        spec_give_number(large, SPEC_BUFFER_SIZE, SPEC_BUFFER_SIZE_MAX);
        if ((uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE) < SPEC_BUFFER_SIZE_MAX) {
                assert_true(instance_configure(instance, large, &(EventSelection){ 0 }, &no_memory) < 0);
                assert_int_equal(no_memory.code, ERROR_NO_MEMORY);
                assert_non_null(strstr(error_text(&no_memory), "buffer_size"));
        }
        assert_int_equal(instance_destroy(instance), 0);
}

static void stay_on_cpu(unsigned cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* What core/ring-window.h builds on: growing keeps all, shrinking the newest, and counts the rest as overwritten. */
static void keeps_the_newest_when_resized(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:sys_enter_getpgid");
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(recording_clear) Recording recording = { 0 };
        BufferStats full, grown, shrunk;
        pid_t self = getpid();
        cpu_set_t all;
        int fd;

        assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
        stay_on_cpu(0);
        spec_give_pids(spec, &self, 1, false);
        spec_give_number(spec, SPEC_BUFFER_SIZE, 128 << 10);
        configure(instance, spec);
        assert_int_equal(instance_open_stats(instance, 0, &fd), 0);
        start(instance);
        for (unsigned i = 0; i < 10; i++)
                call_many_times();
        assert_int_equal(instance_read_stats(fd, &full), 0);
        assert_true(full.overrun > 0);

        if (instance_resize(instance, 512 << 10, &error) < 0)
                fail_msg("%s", error_text(&error));
        assert_true(instance_buffer_size(instance) >= 512 << 10);
        assert_int_equal(instance_read_stats(fd, &grown), 0);
        assert_int_equal(grown.entries, full.entries);
        assert_int_equal(grown.oldest, full.oldest);
        call_many_times();

        assert_int_equal(instance_resize(instance, 64 << 10, &error), 0);
        assert_true(instance_buffer_size(instance) < 128 << 10);
        assert_int_equal(instance_read_stats(fd, &shrunk), 0);
        assert_true(shrunk.oldest > full.oldest);
        assert_int_equal(shrunk.entries + shrunk.overrun, 11 * N_CALLS);
        stop(instance);
        (void) close(fd);
        drain(instance, systems, &recording);
        assert_int_equal(recording_count(&recording, CALL_EVENT, self), shrunk.entries);
        assert_true(shrunk.entries > N_CALLS / 2);
        assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
        assert_int_equal(instance_destroy(instance), 0);
}

static void reads_statistics_that_change(void **state) {
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:sys_enter_getpgid");
        CLEANUP(recording_clear) Recording recording = { 0 };
        const CpuList *cpus = instance_cpus(instance);
        CLEANUP_FREE int *fds = calloc(cpus->n_cpus, sizeof(*fds));
        uint64_t entries = 0, read_events = 0;
        pid_t self = getpid();
        BufferStats stats;

        assert_non_null(fds);
        for (size_t i = 0; i < cpus->n_cpus; i++) {
                assert_int_equal(instance_open_stats(instance, cpus->cpus[i], &fds[i]), 0);
                assert_int_equal(instance_read_stats(fds[i], &stats), 0);
                assert_int_equal(stats.entries, 0);
        }
        spec_give_pids(spec, &self, 1, false);
        configure(instance, spec);
        start(instance);
        call_many_times();
        stop(instance);
        for (size_t i = 0; i < cpus->n_cpus; i++) {
                assert_int_equal(instance_read_stats(fds[i], &stats), 0);
                entries += stats.entries;
        }
        assert_int_equal(entries, N_CALLS);
        drain(instance, systems, &recording);
        for (size_t i = 0; i < cpus->n_cpus; i++) {
                assert_int_equal(instance_read_stats(fds[i], &stats), 0);
                read_events += stats.read_events;
                assert_int_equal(buffer_stats_lost(&stats), 0);
                (void) close(fds[i]);
        }
        assert_int_equal(read_events, N_CALLS);
        assert_int_equal(instance_destroy(instance), 0);
}

static void notices_that_another_tool_stopped_it(void **state) {
        Instance *instance = new_instance();
        struct tracefs_instance *other = tracefs_instance_alloc(NULL, instance_name(instance));

        start(instance);
        assert_int_equal(tracefs_trace_off(other), 0);
        assert_false(instance_is_tracing(instance));
        tracefs_instance_free(other);
        assert_int_equal(instance_destroy(instance), 0);
}

static void cannot_be_destroyed_while_a_file_is_open(void **state) {
        Instance *instance = new_instance();
        CLEANUP_FREE char *name = strdup(instance_name(instance));
        struct tracefs_instance *rest;
        int fd = -1;

        assert_int_equal(instance_open_raw(instance, 0, &fd), 0);
        assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
        assert_int_equal(instance_destroy(instance), -EBUSY);
        (void) close(fd);
        rest = tracefs_instance_alloc(NULL, name);
        assert_int_equal(tracefs_instance_destroy(rest), 0);
        tracefs_instance_free(rest);
}

static void removes_only_what_nobody_holds(void **state) {
        Instance *held = new_instance(), *left = new_instance();
        CLEANUP_FREE char *left_name = strdup(instance_name(left));
        unsigned n_removed = 0;

        instance_free(left);
        assert_true(tracefs_instance_exists(left_name));
        assert_int_equal(instance_remove_stale(&n_removed), 0);
        assert_true(n_removed >= 1);
        assert_false(tracefs_instance_exists(left_name));
        assert_true(tracefs_instance_exists(instance_name(held)));
        start(held);
        assert_int_equal(instance_destroy(held), 0);
}

static void is_made_while_others_clean_up(void **state) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
                unsigned n_removed;

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;) {
                        (void) instance_remove_stale(&n_removed);
                        (void) usleep(2000);
                }
        }
        for (unsigned i = 0; i < 20; i++) {
                Instance *instance = new_instance();

                assert_int_equal(instance_set_tracing(instance, true, NULL), 0);
                assert_true(instance_is_tracing(instance));
                assert_int_equal(instance_destroy(instance), 0);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(is_made_with_tracing_off),
                cmocka_unit_test(is_busy_when_it_exists),
                cmocka_unit_test(takes_all_settings),
                cmocka_unit_test(does_not_depend_on_the_defaults_of_the_top_level),
                cmocka_unit_test(records_exactly_the_calls_of_its_process),
                cmocka_unit_test(follows_children_when_asked),
                cmocka_unit_test(records_nothing_until_a_task_is_added),
                cmocka_unit_test(leaves_out_what_is_excluded),
                cmocka_unit_test(adds_no_task_to_an_instance_for_all),
                cmocka_unit_test(takes_many_tasks_at_once),
                cmocka_unit_test(records_on_the_chosen_cpus_only),
                cmocka_unit_test(records_what_the_filter_lets_through),
                cmocka_unit_test(reports_why_the_kernel_refuses_a_filter),
                cmocka_unit_test(reports_what_an_instance_does_not_have),
                cmocka_unit_test(reads_statistics_that_change),
                cmocka_unit_test(keeps_the_newest_when_resized),
                cmocka_unit_test(notices_that_another_tool_stopped_it),
                cmocka_unit_test(cannot_be_destroyed_while_a_file_is_open),
                cmocka_unit_test(removes_only_what_nobody_holds),
                cmocka_unit_test(is_made_while_others_clean_up),
        };

        return kernel_test_run("instance", tests, ELEMENTSOF(tests));
}
