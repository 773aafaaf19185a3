/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/watch-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "ktraced/clock.h"
#include "model/text-file.h"

#define FILE_NAME "watches.json"
#define TEMPORARY_NAME "." FILE_NAME ".new"

struct WatchMemory {
        Manager *manager;
        char *directory; /* or NULL */
        WatchLimits limits;
        bool writing; /* a job is under way */
        bool changed; /* since that was begun */
        bool told;    /* that it cannot be written */
};

typedef struct WriteJob {
        Job job;
        WatchMemory *memory;
        char *directory, *text;
        int r;
} WriteJob;

static void write_job_free(MailboxItem *item) {
        WriteJob *job = (WriteJob *) item;

        free(job->directory);
        free(job->text);
        free(job);
}

static int write_file(int directory_fd, const char *text) {
        CLEANUP_CLOSE int fd =
                openat(directory_fd, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                return -errno;
        for (size_t size = strlen(text); size > 0;) {
                ssize_t n = write(fd, text, size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        text += n;
                        size -= (size_t) n;
                }
        }
        return fsync(fd) < 0 || renameat(directory_fd, TEMPORARY_NAME, directory_fd, FILE_NAME) < 0 ? -errno : 0;
}

static int write_text(const char *directory, const char *text) {
        CLEANUP_CLOSE int fd = -1;

        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : write_file(fd, text);
}

static void write_run(Job *base) {
        WriteJob *job = (WriteJob *) base;

        job->r = write_text(job->directory, job->text);
}

static int get_boot_id(char ret[static SD_ID128_STRING_MAX]) {
        sd_id128_t id;
        int r = sd_id128_get_boot(&id);

        if (r < 0)
                return r;
        (void) sd_id128_to_string(id, ret);
        return 0;
}

static int format(const WatchMemory *memory, char **ret) {
        char boot_id[SD_ID128_STRING_MAX];
        int r = get_boot_id(boot_id);

        return r < 0 ? r : watch_limits_format(&memory->limits, boot_id, ret);
}

static void write_done(Job *base);

static int submit(WatchMemory *memory) {
        WriteJob *job = calloc(1, sizeof(*job));
        int r = job ? format(memory, &job->text) : -ENOMEM;

        if (r >= 0) {
                job->directory = strdup(memory->directory);
                r = job->directory ? 0 : -ENOMEM;
        }
        if (r < 0) {
                if (job)
                        write_job_free(&job->job.item);
                return r;
        }
        job->job = (Job){ .item = { .free = write_job_free }, .run = write_run, .done = write_done };
        job->memory = memory;
        memory->writing = true;
        memory->changed = false;
        worker_submit(memory->manager->store_worker, &job->job);
        return 0;
}

static void tell(WatchMemory *memory, int r) {
        if (r < 0 && !memory->told)
                manager_notice(memory->manager, LOG_WARNING, NULL, NULL,
                               "Cannot write %s/" FILE_NAME ", so that the limits of watches begin anew at the next "
                               "start of the daemon: %s",
                               memory->directory, strerror(-r));
        memory->told = r < 0;
}

static void write_done(Job *base) {
        WriteJob *job = (WriteJob *) base;
        WatchMemory *memory = job->memory;

        memory->writing = false;
        tell(memory, job->r);
        write_job_free(&job->job.item);
        if (memory->changed)
                tell(memory, submit(memory));
}

int watch_memory_new(Manager *manager, const char *directory, WatchMemory **ret) {
        WatchMemory *memory = calloc(1, sizeof(*memory));

        if (!memory)
                return -ENOMEM;
        memory->manager = manager;
        if (directory) {
                memory->directory = strdup(directory);
                if (!memory->directory) {
                        free(memory);
                        return -ENOMEM;
                }
        }
        *ret = memory;
        return 0;
}

void watch_memory_free(WatchMemory *memory) {
        CLEANUP_FREE char *text = NULL;

        if (!memory)
                return;
        if (memory->changed && format(memory, &text) >= 0)
                (void) write_text(memory->directory, text);
        watch_limits_clear(&memory->limits);
        free(memory->directory);
        free(memory);
}

const char *watch_memory_directory(const WatchMemory *memory) {
        return memory->directory;
}

int watch_memory_read(const char *directory, Error *error, WatchLimits *ret) {
        WatchTime now = { .clock = watch_memory_clock(), .realtime = clock_usec(CLOCK_REALTIME) };
        CLEANUP_FREE char *path = NULL, *text = NULL;
        char boot_id[SD_ID128_STRING_MAX];
        int r = get_boot_id(boot_id);

        if (r < 0)
                return error_set_errno(error, r, "The boot has no id");
        now.boot_id = boot_id;
        if (asprintf(&path, "%s/" FILE_NAME, directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (access(path, F_OK) < 0 && errno == ENOENT) {
                *ret = (WatchLimits){ 0 };
                return 0;
        }
        r = text_file_read(path, error, &text);
        return r < 0 ? r : watch_limits_parse(text, path, &now, error, ret);
}

void watch_memory_take(WatchMemory *memory, WatchLimits *limits) {
        watch_limits_clear(&memory->limits);
        memory->limits = *limits;
        *limits = (WatchLimits){ 0 };
}

uint64_t watch_memory_clock(void) {
        return clock_usec(CLOCK_BOOTTIME) + WATCH_CLOCK_BOOT;
}

void watch_memory_recall(const WatchMemory *memory, Watch *watch) {
        const WatchLimit *found =
                watch_limits_find(&memory->limits, watch->session->owner, watch->session->name, watch->spec.name);

        if (!found)
                return;
        watch->limit.last = found->limit.last;
        watch->limit.begun = found->limit.begun;
        watch->limit.n = found->limit.n;
        watch->fired = found->last_realtime;
}

void watch_memory_note(WatchMemory *memory, const Watch *watch) {
        int r = watch_limits_set(&memory->limits, watch->session->owner, watch->session->name, watch->spec.name,
                                 &watch->limit, watch->fired);

        if (!memory->directory)
                return;
        if (r >= 0 && memory->writing) {
                memory->changed = true;
                return;
        }
        tell(memory, r < 0 ? r : submit(memory));
}
