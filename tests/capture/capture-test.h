/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the capture layer share: files and directories of their own, loads whose events are
 * known, pumps with their reports, and trace-cmd's opinion of a file.
 */

#include "kernel-test.h"

#include "capture/pump.h"
#include "capture/store.h"

/* A new directory, removed with everything in it by remove_tree(). */
char *make_tree(void);
void remove_tree(char *path);
char *path_of(const char *directory, const char *name); /* the caller frees */

/* A new instance recording EVENT in this process and its children, if `own`; of everybody otherwise.
 * `buffer_size` is for each CPU. Tracing is off. */
Instance *instance_for(bool own, uint64_t buffer_size);

/* The system call that the tests count, since nothing else in the tests makes it. */
#define EVENT "syscalls:sys_enter_getppid"

/* That many of them. */
void make_events(unsigned n);
/* The same in n_children processes, spread over the CPUs. Returns when all are through. */
void make_events_in_children(unsigned n_children, unsigned n);
/* A process that makes them until end_load(). */
pid_t begin_load(void);
void end_load(pid_t pid);

/* Events that `trace-cmd report` shows for the file, of this task (0: any); -1 when it fails or complains. */
long count_events(const char *path, pid_t pid);
/* Whether `trace-cmd dump --validate` accepts it. */
bool is_valid(const char *path);
/* All segments of the capture: each is valid; returns the sum of their events. With `pid` 0 each has as many
 * as its metadata say. */
long count_capture(const char *directory, const CaptureMetadata *metadata, pid_t pid);

/* The file's size and what it takes on disk, in bytes. */
uint64_t file_size(const char *path);
uint64_t file_usage(const char *path);

/* One pump with its instance and the reports it made. */
typedef struct TestPump {
        Instance *instance;
        Pump *pump;
        char *directory; /* of the store */
        Store *store;
        size_t n_segments; /* PUMP_SEGMENT_CLOSED so far */
        bool lost;         /* PUMP_TRACING_LOST came */
} TestPump;

/* `own`: see instance_for(). */
TestPump pump_begin(bool own, uint64_t buffer_size, const char *directory);
/* The same with an instance that is there. */
TestPump pump_begin_on(Instance *instance, const char *directory);
/* Stops it if it was not, and removes the instance. */
void pump_end(TestPump *pump);
/* `segment_size` 0 stands for 64 MiB. Returns the capture's directory; the caller frees. */
char *pump_add(TestPump *pump, uint64_t sink_id, uint64_t segment_size, uint64_t segment_age, uint64_t segments_max);
void pump_add_output(TestPump *pump, uint64_t sink_id, int fd);
/* Waits for the next report of that type (about that sink, unless 0), 60 s at most; others are dropped. */
PumpReport *pump_wait(TestPump *pump, PumpReportType type, uint64_t sink_id);
/* The same when nothing of it matters. */
void pump_expect(TestPump *pump, PumpReportType type, uint64_t sink_id);

/* With every text filled, active. */
CaptureMetadata *test_metadata(const char *id);

uint64_t now_usec(void);
