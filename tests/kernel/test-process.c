/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel-test.h"
#include "kernel/process.h"

static pid_t fork_idle(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) pause();
        }
        return pid;
}

static void end(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool contains(const pid_t *tasks, size_t n_tasks, pid_t task) {
        for (size_t i = 0; i < n_tasks; i++)
                if (tasks[i] == task)
                        return true;
        return false;
}

static void finds_the_process_of_a_pidfd(void **state) {
        pid_t child = fork_idle(), pid = 0;
        CLEANUP_CLOSE int pidfd = pidfd_open(child, 0);

        assert_true(pidfd >= 0);
        assert_int_equal(process_from_pidfd(pidfd, NULL, &pid), 0);
        assert_int_equal(pid, child);
        end(child);
}

static void tells_that_the_process_of_a_pidfd_is_gone(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        pid_t child = fork_idle(), pid = 17;
        CLEANUP_CLOSE int pidfd = pidfd_open(child, 0);

        assert_true(pidfd >= 0);
        end(child);
        assert_true(process_from_pidfd(pidfd, &error, &pid) < 0);
        assert_int_equal(error.code, ERROR_NO_SUCH_PROCESS);
        assert_int_equal(pid, 17);
}

static void refuses_descriptors_that_are_no_pidfd(void **state) {
        CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int closed = fcntl(null, F_DUPFD_CLOEXEC, 100);
        pid_t pid;

        assert_int_equal(close(closed), 0);
        for (size_t i = 0; i < 3; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;

                assert_true(process_from_pidfd((int[]){ null, closed, -1 }[i], &error, &pid) < 0);
                assert_int_equal(error.code, ERROR_BAD_DESCRIPTOR);
        }
}

static void *wait_for_cancellation(void *argument) {
        *(pid_t *) argument = gettid();
        for (;;)
                (void) pause();
        return NULL;
}

static void lists_threads_and_descendants(void **state) {
        CLEANUP_FREE pid_t *own = NULL, *all = NULL;
        size_t n_own = 0, n_all = 0;
        volatile pid_t tid = 0;
        pthread_t thread;
        int pipe_fds[2];
        pid_t child, grandchild = 0;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                grandchild = fork_idle();
                (void) !write(pipe_fds[1], &grandchild, sizeof(grandchild));
                for (;;)
                        (void) pause();
        }
        assert_int_equal(read(pipe_fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
        assert_int_equal(pthread_create(&thread, NULL, wait_for_cancellation, (void *) &tid), 0);
        while (tid == 0)
                (void) usleep(1000);

        assert_int_equal(process_list_tasks(getpid(), false, NULL, &own, &n_own), 0);
        assert_true(contains(own, n_own, getpid()));
        assert_true(contains(own, n_own, tid));
        assert_false(contains(own, n_own, child));

        assert_int_equal(process_list_tasks(getpid(), true, NULL, &all, &n_all), 0);
        assert_true(contains(all, n_all, tid));
        assert_true(contains(all, n_all, child));
        assert_true(contains(all, n_all, grandchild));
        assert_int_equal(n_all, n_own + 2);

        (void) pthread_cancel(thread);
        (void) pthread_join(thread, NULL);
        end(child); /* The grandchild follows with its parent's death. */
        (void) close(pipe_fds[0]);
        (void) close(pipe_fds[1]);
}

static void tells_that_there_is_no_such_process(void **state) {
        const pid_t pids[] = { 0, -1, 4194304 };

        for (size_t i = 0; i < ELEMENTSOF(pids); i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                pid_t *tasks = NULL;
                size_t n_tasks = 0;

                assert_true(process_list_tasks(pids[i], true, &error, &tasks, &n_tasks) < 0);
                assert_int_equal(error.code, ERROR_NO_SUCH_PROCESS);
                assert_null(tasks);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(finds_the_process_of_a_pidfd),
                cmocka_unit_test(tells_that_the_process_of_a_pidfd_is_gone),
                cmocka_unit_test(refuses_descriptors_that_are_no_pidfd),
                cmocka_unit_test(lists_threads_and_descendants),
                cmocka_unit_test(tells_that_there_is_no_such_process),
        };

        return kernel_test_run("process", tests, ELEMENTSOF(tests));
}
