/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/segment.h"
#include "capture/store-private.h"
#include "core/parse.h"

#define METADATA_SIZE_MAX ((off_t) 64 << 20)
#define REASON_INTERRUPTED "interrupted"

static int read_text_at(int dir_fd, const char *name, char **ret) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_CLOSE int fd = -1;
        struct stat st;
        size_t size = 0;

        fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size > METADATA_SIZE_MAX)
                return -EBADMSG;
        text = malloc((size_t) st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (size < (size_t) st.st_size) {
                ssize_t n = read(fd, text + size, (size_t) st.st_size - size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                size += n > 0 ? (size_t) n : 0;
        }
        text[size] = '\0';
        *ret = STEAL_PTR(text);
        return 0;
}

int store_read_metadata(int dir_fd, CaptureMetadata **ret) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = read_text_at(dir_fd, METADATA_NAME, &text);
        if (r < 0)
                return r;
        return metadata_parse(text, NULL, ret);
}

static int compare_segments(const void *a, const void *b) {
        const SegmentInfo *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

/* A file in the directory of a capture whose writer is gone. Rows of segments that were found are collected
 * in `found`, with what the old metadata know about them. */
static int repair_file(int dir_fd, const char *name, const CaptureMetadata *old, CaptureMetadata *found) {
        char expected[STORE_SEGMENT_NAME_MAX];
        SegmentInfo info = { 0 };
        CLEANUP_CLOSE int fd = -1;
        struct stat st;
        int r;

        if (sscanf(name, "trace-%" SCNu64 ".dat", &info.number) != 1)
                return 0;
        store_segment_name(info.number, expected);
        if (strcmp(name, expected) != 0) {
                /* A head that was not complete. */
                if (strncmp(name, expected, strlen(expected)) == 0)
                        (void) unlinkat(dir_fd, name, 0);
                return 0;
        }

        for (size_t i = 0; i < old->n_segments; i++)
                if (old->segments[i].number == info.number)
                        info = old->segments[i];
        fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (info.end_realtime > 0)
                store_note_compressed(fd, (uint64_t) st.st_size, &info);
        info.bytes = (uint64_t) st.st_size;
        /* One that cannot be repaired is kept as it is: its reader may make something of it. */
        r = segment_repair(fd, &info.bytes);
        if (r < 0 && r != -EBADMSG)
                return r;
        if (info.end_realtime == 0) {
                info.end_realtime = (uint64_t) st.st_mtim.tv_sec * 1000000 + (uint64_t) st.st_mtim.tv_nsec / 1000;
                info.sha256[0] = '\0';
        }
        return metadata_add_segment(found, &info);
}

static int repair_files(int dir_fd, const CaptureMetadata *old, CaptureMetadata *found) {
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        CLEANUP_CLOSE int fd = -1;
        struct dirent *entry;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir)
                return -errno;
        (void) steal_fd(&fd);

        while ((errno = 0, entry = readdir(dir))) {
                int r = repair_file(dir_fd, entry->d_name, old, found);

                if (r < 0)
                        return r;
        }
        return -errno;
}

static int repair_capture(int dir_fd, CaptureMetadata *metadata) {
        CLEANUP(metadata_freep) CaptureMetadata *found = NULL;
        CLEANUP_FREE char *reason = strdup(REASON_INTERRUPTED);
        SegmentInfo *segments;
        size_t n;
        int r;

        if (!reason)
                return -ENOMEM;
        r = metadata_new(&found);
        if (r < 0)
                return r;
        r = repair_files(dir_fd, metadata, found);
        if (r < 0)
                return r;

        segments = metadata->segments;
        metadata->segments = found->segments;
        found->segments = segments;
        n = metadata->n_segments;
        metadata->n_segments = found->n_segments;
        found->n_segments = n;
        if (metadata->n_segments > 0)
                qsort(metadata->segments, metadata->n_segments, sizeof(metadata->segments[0]), compare_segments);

        free(metadata->reason);
        metadata->reason = STEAL_PTR(reason);
        metadata->state = CAPTURE_INTERRUPTED;
        metadata->bytes = 0;
        for (size_t i = 0; i < metadata->n_segments; i++) {
                metadata->bytes += metadata->segments[i].bytes;
                if (metadata->segments[i].end_realtime > metadata->end_realtime)
                        metadata->end_realtime = metadata->segments[i].end_realtime;
        }
        return store_write_metadata_at(dir_fd, metadata, NULL);
}

/* A capture whose writer went before it had written anything: -ENOENT when it was removed. */
static int remove_unborn(const Store *store, int dir_fd, const char *id) {
        if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0)
                return -EBUSY;
        (void) unlinkat(dir_fd, METADATA_TEMPORARY, 0);
        (void) unlinkat(dir_fd, FIRST_SEGMENT_TEMPORARY, 0);
        return unlinkat(store->fd, id, AT_REMOVEDIR) < 0 ? -errno : -ENOENT;
}

/* -ENOENT when there is none; -EBADMSG and the like: unreadable. */
static int load_capture(const Store *store, const char *id, CaptureMetadata **ret) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = store_open_capture(store, id, NULL, &fd);
        if (r < 0)
                return r;
        r = store_read_metadata(fd, &metadata);
        if (r == -ENOENT)
                return remove_unborn(store, fd, id);
        if (r < 0)
                return r;

        if (metadata->state == CAPTURE_ACTIVE && flock(fd, LOCK_EX | LOCK_NB) >= 0) {
                /* Its writer may have finished just before the lock was had. */
                metadata_free(STEAL_PTR(metadata));
                r = store_read_metadata(fd, &metadata);
                if (r < 0)
                        return r;
                if (metadata->state == CAPTURE_ACTIVE) {
                        r = repair_capture(fd, metadata);
                        if (r < 0)
                                return r;
                }
        }

        if (!metadata->id || strcmp(metadata->id, id) != 0)
                return -EBADMSG;
        if (metadata->state != CAPTURE_ACTIVE)
                store_finish_compressions(fd, metadata);
        *ret = STEAL_PTR(metadata);
        return 0;
}

/* What a deletion or a creation that was interrupted left. */
static void remove_leftover(const Store *store, const char *name) {
        CLEANUP_CLOSE int fd = -1;

        if (!id_is_valid(name + strlen(HIDDEN_PREFIX)))
                return;
        fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) >= 0)
                (void) store_remove_directory(store, name);
}

static int compare_captures(const void *a, const void *b) {
        const CaptureMetadata *x = *(CaptureMetadata *const *) a, *y = *(CaptureMetadata *const *) b;

        if (x->start_realtime != y->start_realtime)
                return x->start_realtime < y->start_realtime ? -1 : 1;
        return strcmp(x->id, y->id);
}

typedef struct Loaded {
        CaptureMetadata **captures;
        size_t n, n_skipped;
} Loaded;

static void loaded_clear(Loaded *loaded) {
        for (size_t i = 0; i < loaded->n; i++)
                metadata_free(loaded->captures[i]);
        free(loaded->captures);
}

static int load_entry(const Store *store, const char *name, Loaded *loaded) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        CaptureMetadata **grown;
        int r;

        if (strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0) {
                remove_leftover(store, name);
                return 0;
        }
        if (!id_is_valid(name))
                return 0;

        r = load_capture(store, name, &metadata);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                /* An id whose writer has not come to its metadata yet, or one just deleted, is no fault. */
                if (r != -ENOENT && r != -EBUSY)
                        loaded->n_skipped++;
                return 0;
        }
        grown = reallocarray(loaded->captures, loaded->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        loaded->captures = grown;
        loaded->captures[loaded->n++] = STEAL_PTR(metadata);
        return 0;
}

int store_load(Store *store, Error *error, CaptureMetadata ***ret, size_t *ret_n, size_t *ret_n_skipped) {
        CLEANUP(loaded_clear) Loaded loaded = { 0 };
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        CLEANUP_CLOSE int fd = -1;
        struct dirent *entry;

        fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
                dir = fdopendir(fd);
        if (!dir)
                return error_set_errno(error, -errno, "Failed to read the store");
        (void) steal_fd(&fd);

        while ((errno = 0, entry = readdir(dir))) {
                int r = load_entry(store, entry->d_name, &loaded);

                if (r < 0)
                        return error_set_errno(error, r, "Failed to read the store");
        }
        if (errno != 0)
                return error_set_errno(error, -errno, "Failed to read the store");

        if (loaded.n > 0)
                qsort(loaded.captures, loaded.n, sizeof(loaded.captures[0]), compare_captures);
        *ret = STEAL_PTR(loaded.captures);
        *ret_n = loaded.n;
        *ret_n_skipped = loaded.n_skipped;
        loaded.n = 0;
        return 0;
}
