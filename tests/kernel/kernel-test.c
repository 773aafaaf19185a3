/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel-test.h"

#include <errno.h>
#include <event-parse.h>
#include <kbuffer.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#include "kernel/catalog.h"
#include "kernel/tracing-dir.h"

static int is_own(const char *name, void *userdata) {
        return strncmp(name, userdata, strlen(userdata)) == 0;
}

static bool left_instances(void) {
        char prefix[32];

        (void) snprintf(prefix, sizeof(prefix), INSTANCE_PREFIX "test-%d-", getpid());
        return tracefs_instances_walk(is_own, prefix) != 0;
}

int kernel_test_run(const char *name, const struct CMUnitTest *tests, size_t n_tests) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int failed;

        if (geteuid() != 0) {
                (void) printf("1..0 # SKIP needs root\n");
                return 0;
        }
        if (tracing_dir_ensure(&error) < 0) {
                (void) printf("1..0 # SKIP %s\n", error_text(&error));
                return 0;
        }
        cmocka_set_message_output(CM_OUTPUT_TAP);
        failed = _cmocka_run_group_tests(name, tests, n_tests, NULL, NULL);
        if (left_instances()) {
                (void) printf("# instances were left behind\n");
                return 1;
        }
        return failed;
}

Instance *new_instance(void) {
        static unsigned n;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Instance *instance = NULL;
        char name[32];

        (void) snprintf(name, sizeof(name), "test-%d-%u", getpid(), n++);
        if (instance_create(name, &error, &instance) < 0)
                fail_msg("%s", error_text(&error));
        return instance;
}

Spec *new_spec(const char *event) {
        const char *events[] = { event, NULL };
        Spec *spec = NULL;

        assert_int_equal(spec_new(&spec), 0);
        spec_give_strings(spec, SPEC_EVENTS, events);
        return spec;
}

static void give(Spec *spec, SpecKey key, const SpecValue *value) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (spec_set(spec, key, value, &error) < 0)
                fail_msg("%s", error_text(&error));
}

void spec_give_strings(Spec *spec, SpecKey key, const char *const *strings) {
        give(spec, key, &(SpecValue){ .has = spec_key_type(key), .strings = (char *const *) strings });
}

void spec_give_string(Spec *spec, SpecKey key, const char *string) {
        give(spec, key, &(SpecValue){ .has = SPEC_TYPE_STRING, .string = string });
}

void spec_give_number(Spec *spec, SpecKey key, uint64_t number) {
        give(spec, key, &(SpecValue){ .has = spec_key_type(key), .number = number });
}

void spec_give_pids(Spec *spec, const pid_t *pids, size_t n_pids, bool children) {
        int64_t numbers[16];

        assert_true(n_pids <= ELEMENTSOF(numbers));
        for (size_t i = 0; i < n_pids; i++)
                numbers[i] = pids[i];
        give(spec, SPEC_PIDS, &(SpecValue){ .has = SPEC_TYPE_NUMBERS, .numbers = numbers, .n_numbers = n_pids });
        give(spec, SPEC_CHILDREN, &(SpecValue){ .has = SPEC_TYPE_BOOLEAN, .boolean = children });
}

void configure(Instance *instance, const Spec *spec) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (catalog_resolve(spec, &error, &selection) < 0 ||
            instance_configure(instance, spec, &selection, &error) < 0)
                fail_msg("%s", error_text(&error));
}

static struct tep_handle *load_formats(const char *const *systems) {
        struct tep_handle *tep = tep_alloc();

        assert_non_null(tep);
        for (size_t i = 0; systems[i]; i++) {
                char **names = tracefs_system_events(NULL, systems[i]);

                assert_non_null(names);
                for (size_t e = 0; names[e]; e++) {
                        int size = 0;
                        char *text = tracefs_event_file_read(NULL, systems[i], names[e], "format", &size);

                        assert_non_null(text);
                        (void) tep_parse_event(tep, text, (unsigned long) size, systems[i]);
                        free(text);
                }
                tracefs_list_free(names);
        }
        return tep;
}

static void add_event(struct tep_handle *tep, void *data, unsigned cpu, uint64_t time, Recording *recording) {
        struct tep_record record = { .data = data };
        struct tep_event *event = tep_find_event(tep, tep_data_type(tep, &record));
        RecordedEvent *events;

        events = reallocarray(recording->events, recording->n_events + 1, sizeof(*events));
        assert_non_null(events);
        recording->events = events;
        events[recording->n_events] = (RecordedEvent){
                .pid = tep_data_pid(tep, &record),
                .cpu = cpu,
                .time = time,
        };
        if (event)
                (void) snprintf(events[recording->n_events].name, sizeof(events->name), "%s", event->name);
        recording->n_events++;
}

static void drain_cpu(Instance *instance, struct tep_handle *tep, unsigned cpu, Recording *recording) {
        uint32_t page_size = instance_page_size(instance);
        CLEANUP_FREE char *page = malloc(page_size);
        CLEANUP_CLOSE int fd = -1;
        struct kbuffer *buffer =
                kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
                              __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? KBUFFER_ENDIAN_BIG : KBUFFER_ENDIAN_LITTLE);

        assert_non_null(page);
        assert_non_null(buffer);
        assert_int_equal(instance_open_raw(instance, cpu, &fd), 0);
        for (;;) {
                ssize_t n = read(fd, page, page_size);
                unsigned long long time;
                void *data;

                if (n <= 0) {
                        assert_true(n == 0 || errno == EAGAIN);
                        break;
                }
                assert_int_equal(kbuffer_load_subbuffer(buffer, page), 0);
                while ((data = kbuffer_read_event(buffer, &time))) {
                        add_event(tep, data, cpu, time, recording);
                        (void) kbuffer_next_event(buffer, NULL);
                }
        }
        kbuffer_free(buffer);
}

void drain(Instance *instance, const char *const *systems, Recording *ret) {
        const CpuList *cpus = instance_cpus(instance);
        struct tep_handle *tep = load_formats(systems);

        *ret = (Recording){ 0 };
        for (size_t i = 0; i < cpus->n_cpus; i++)
                drain_cpu(instance, tep, cpus->cpus[i], ret);
        tep_free(tep);
}

void recording_clear(Recording *recording) {
        free(recording->events);
        *recording = (Recording){ 0 };
}

size_t recording_count(const Recording *recording, const char *name, pid_t pid) {
        size_t n = 0;

        for (size_t i = 0; i < recording->n_events; i++)
                if ((!name || strcmp(recording->events[i].name, name) == 0) &&
                    (pid == 0 || recording->events[i].pid == pid))
                        n++;
        return n;
}
