/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/store-private.h"
#include "core/parse.h"

static int make_directories(const char *path) {
        CLEANUP_FREE char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy; *p;) {
                char *end = p + strspn(p, "/");

                end += strcspn(end, "/");
                if (*end && mkdir((*end = '\0', copy), 0755) < 0 && errno != EEXIST)
                        return -errno;
                if (end == copy + strlen(path))
                        break;
                *end = '/';
                p = end;
        }
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int store_open(const char *root, Error *error, Store **ret) {
        CLEANUP(store_freep) Store *store = NULL;
        int r;

        store = calloc(1, sizeof(*store));
        if (!store)
                return error_set_errno(error, -ENOMEM, "Failed to open the store");
        store->fd = -1;

        r = make_directories(root);
        if (r < 0)
                return error_set_errno(error, r, "Failed to create %s", root);
        store->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->fd < 0)
                return error_set_errno(error, -errno, "Failed to open %s", root);

        *ret = STEAL_PTR(store);
        return 0;
}

void store_free(Store *store) {
        if (!store)
                return;

        closep(&store->fd);
        free(store);
}

void store_segment_name(uint64_t number, char ret[static STORE_SEGMENT_NAME_MAX]) {
        (void) snprintf(ret, STORE_SEGMENT_NAME_MAX, "trace-%06llu.dat", (unsigned long long) number);
}

static int make_id(char ret[static STORE_ID_MAX]) {
        time_t now = time(NULL);
        struct tm tm;
        uint32_t chance;

        if (getrandom(&chance, sizeof(chance), 0) < 0)
                return -errno;
        if (!gmtime_r(&now, &tm))
                return -EOVERFLOW;
        (void) snprintf(ret, STORE_ID_MAX, "%04d%02d%02dT%02d%02d%02d-%08x", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, chance);
        return 0;
}

int store_make_id(char **ret) {
        char id[STORE_ID_MAX];
        char *copy;
        int r;

        r = make_id(id);
        if (r < 0)
                return r;
        copy = strdup(id);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

int store_create_capture(Store *store, Error *error, char **ret_id, int *ret_dir_fd) {
        char id[STORE_ID_MAX], hidden[STORE_ID_MAX + sizeof(HIDDEN_PREFIX)];
        CLEANUP_FREE char *copy = NULL;
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = make_id(id);
        if (r < 0)
                return error_set_errno(error, r, "Failed to make an id for a capture");
        copy = strdup(id);
        if (!copy)
                return error_set_errno(error, -ENOMEM, "Failed to create a capture");

        /* It gets its name when it is locked: another daemon never sees it without. */
        (void) snprintf(hidden, sizeof(hidden), HIDDEN_PREFIX "%s", id);
        if (mkdirat(store->fd, hidden, 0700) < 0)
                return error_set_errno(error, -errno, "Failed to create a directory for capture %s", id);
        fd = openat(store->fd, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
            renameat2(store->fd, hidden, store->fd, id, RENAME_NOREPLACE) < 0) {
                r = error_set_errno(error, -errno, "Failed to set up the directory of capture %s", id);
                (void) unlinkat(store->fd, hidden, AT_REMOVEDIR);
                return r;
        }

        *ret_id = STEAL_PTR(copy);
        *ret_dir_fd = steal_fd(&fd);
        return 0;
}

int store_open_capture(const Store *store, const char *id, Error *error, int *ret) {
        int fd;

        if (!id_is_valid(id))
                return error_set(error, ERROR_NO_SUCH_CAPTURE, "There is no such capture");
        fd = openat(store->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return error_set(error, ERROR_NO_SUCH_CAPTURE, "There is no capture %s", id);
        if (fd < 0)
                return error_set_errno(error, -errno, "Failed to open capture %s", id);
        *ret = fd;
        return 0;
}

static int write_all(int fd, const char *text, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, text, size);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                text += n;
                size -= (size_t) n;
        }
        return 0;
}

/* With `sync` the content is durable before it takes the old one's place. */
static int replace_metadata(int dir_fd, const char *text, bool sync) {
        CLEANUP_CLOSE int fd = -1;
        int r;

        fd = openat(dir_fd, METADATA_TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, strlen(text));
        if (r >= 0 && sync && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && renameat(dir_fd, METADATA_TEMPORARY, dir_fd, METADATA_NAME) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(dir_fd, METADATA_TEMPORARY, 0);
        return r;
}

int store_put_metadata(int dir_fd, const CaptureMetadata *metadata, bool sync, Error *error) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = metadata_format(metadata, &text);
        if (r >= 0)
                r = replace_metadata(dir_fd, text, sync);
        if (r < 0)
                return error_set_errno(error, r, "Failed to write the metadata of a capture");
        return 0;
}

/* Not synced: it is called between pages, which would have to wait for the disk. */
int store_write_metadata_at(int dir_fd, const CaptureMetadata *metadata, Error *error) {
        return store_put_metadata(dir_fd, metadata, false, error);
}

int store_write_metadata(Store *store, const CaptureMetadata *metadata, Error *error) {
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = store_open_capture(store, metadata->id, error, &fd);
        if (r < 0)
                return r;
        return store_put_metadata(fd, metadata, true, error);
}

/* 0 when there is none. */
static int find_newest_segment(int dir_fd, uint64_t *ret) {
        char expected[STORE_SEGMENT_NAME_MAX];
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        struct dirent *entry;
        uint64_t newest = 0, number;
        int fd;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                (void) close(fd);
                return -ENOMEM;
        }
        while ((entry = readdir(dir))) {
                if (sscanf(entry->d_name, "trace-%" SCNu64 ".dat", &number) != 1)
                        continue;
                store_segment_name(number, expected);
                if (strcmp(entry->d_name, expected) == 0 && number > newest)
                        newest = number;
        }
        *ret = newest;
        return 0;
}

int store_open_segment(Store *store, const char *capture_id, uint64_t number, Error *error, int *ret_fd) {
        char name[STORE_SEGMENT_NAME_MAX];
        CLEANUP_CLOSE int dir = -1;
        int r, fd;

        r = store_open_capture(store, capture_id, error, &dir);
        if (r < 0)
                return r;
        if (number == 0) {
                r = find_newest_segment(dir, &number);
                if (r < 0)
                        return error_set_errno(error, r, "Failed to look into capture %s", capture_id);
                if (number == 0)
                        return error_set(error, ERROR_NO_SUCH_SEGMENT, "Capture %s has no segment yet", capture_id);
        }
        store_segment_name(number, name);
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return error_set(error, ERROR_NO_SUCH_SEGMENT, "Capture %s has no segment %llu", capture_id,
                                 (unsigned long long) number);
        if (fd < 0)
                return error_set_errno(error, -errno, "Failed to open segment %llu of capture %s",
                                       (unsigned long long) number, capture_id);
        *ret_fd = fd;
        return 0;
}
