/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/kernel-text.h"
#include "kernel/setting.h"
#include "ktraced/cleanup.h"

#define STATE_FILE "lease.json"
#define NEW_STATE_FILE "lease.json.new"

struct Lease {
        char *directory;
        int directory_fd; /* locked while something is lent; -1: nothing is */
        char *purpose;
        char *key; /* NULL: not to be shared */
        LeaseState state;
        LIST_HEAD(, LeaseClaim) claims;
};

struct LeaseClaim {
        LIST_ENTRY(LeaseClaim) claims;
        Lease *lease;
        char *holder;
        bool first;
};

int lease_new(const char *directory, Lease **ret) {
        Lease *lease = calloc(1, sizeof(*lease));

        if (!lease)
                return -ENOMEM;
        LIST_INIT(&lease->claims);
        lease->directory_fd = -1;
        lease->directory = strdup(directory);
        if (!lease->directory) {
                free(lease);
                return -ENOMEM;
        }
        *ret = lease;
        return 0;
}

static void clear(Lease *lease) {
        lease_state_clear(&lease->state);
        free(STEAL_PTR(lease->purpose));
        free(STEAL_PTR(lease->key));
        closep(&lease->directory_fd);
        lease->directory_fd = -1;
}

void lease_free(Lease *lease) {
        if (!lease)
                return;
        clear(lease);
        free(lease->directory);
        free(lease);
}

/* -EWOULDBLOCK when another daemon has it. */
static int lock(const char *directory, int *ret) {
        CLEANUP_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        *ret = steal_fd(&fd);
        return 0;
}

static int write_all(int fd, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = write(fd, text, left);

                if (n < 0)
                        return -errno;
                text += n;
                left -= (size_t) n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

/* All of it or nothing, and on the disk. */
static int save(int directory_fd, const LeaseState *state) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = lease_state_format(state, &text);
        if (r < 0)
                return r;
        fd = openat(directory_fd, NEW_STATE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text);
        if (r < 0)
                return r;
        if (renameat(directory_fd, NEW_STATE_FILE, directory_fd, STATE_FILE) < 0 || fsync(directory_fd) < 0)
                return -errno;
        return 0;
}

/* In the reverse order, all of them even if one fails. What is gone needs no restoring. */
static int restore(int directory_fd, const LeaseState *state) {
        int result = 0;

        for (size_t i = state->n_settings; i > 0; i--) {
                const LeaseSetting *setting = state->settings + i - 1;
                int r = setting_restore(setting->file, setting->text);

                if (r < 0 && r != -ENOENT && r != -ENODEV && result == 0)
                        result = r;
        }
        /* What could not be restored, the next start tries again. */
        if (result == 0 && unlinkat(directory_fd, STATE_FILE, 0) < 0 && errno != ENOENT)
                result = -errno;
        return result;
}

/* With the folder locked. */
static int restore_stale(const char *directory, int directory_fd, Error *error, char **ret_holder) {
        CLEANUP(lease_state_clear) LeaseState state = { 0 };
        CLEANUP_FREE char *path = NULL, *text = NULL;
        int r;

        *ret_holder = NULL;
        if (asprintf(&path, "%s/" STATE_FILE, directory) < 0) {
                path = NULL;
                return error_set_errno(error, -ENOMEM, "Cannot restore what was lent");
        }
        r = kernel_text_read(path, &text);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_set_errno(error, r, "Cannot read %s", path);
        r = lease_state_parse(text, path, error, &state);
        if (r < 0)
                return r;
        r = restore(directory_fd, &state);
        if (r < 0)
                return error_set_errno(error, r, "Cannot restore the kernel's settings from %s", path);
        *ret_holder = state.holder ? STEAL_PTR(state.holder) : strdup("");
        return 0;
}

int lease_restore_stale(Lease *lease, Error *error, char **ret_holder) {
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = lock(lease->directory, &fd);
        /* Without the folder nothing was lent; what another daemon lends is its own. */
        if (r == -ENOENT || r == -EWOULDBLOCK) {
                *ret_holder = NULL;
                return 0;
        }
        if (r < 0)
                return error_set_errno(error, r, "Cannot lock %s", lease->directory);
        return restore_stale(lease->directory, fd, error, ret_holder);
}

static int read_settings(const LeaseRequest *request, Error *error, LeaseState *state) {
        state->holder = strdup(request->holder);
        if (!state->holder)
                return error_set_errno(error, -ENOMEM, "Cannot lend the kernel's settings");
        for (char *const *file = request->files; *file; file++) {
                CLEANUP_FREE char *text = NULL;
                int r = setting_read(*file, &text);

                if (r == -ENOENT)
                        continue;
                if (r >= 0)
                        r = lease_state_add(state, *file, text);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot read the kernel's setting %s", *file);
        }
        if (request->switch_off && lease_state_add(state, request->switch_off, "0\n") < 0)
                return error_set_errno(error, -ENOMEM, "Cannot lend the kernel's settings");
        return 0;
}

static int begin(Lease *lease, const LeaseRequest *request, Error *error) {
        CLEANUP(lease_state_clear) LeaseState state = { 0 };
        CLEANUP_FREE char *stale = NULL, *purpose = NULL, *key = NULL;
        CLEANUP_CLOSE int fd = -1;
        int r;

        if (mkdir(lease->directory, 0700) < 0 && errno != EEXIST)
                return error_set_errno(error, -errno, "Cannot make %s", lease->directory);
        r = lock(lease->directory, &fd);
        if (r == -EWOULDBLOCK)
                return error_set(error, ERROR_BUSY, "%s is in use by another ktraced", request->purpose);
        if (r < 0)
                return error_set_errno(error, r, "Cannot lock %s", lease->directory);
        r = restore_stale(lease->directory, fd, error, &stale);
        if (r >= 0)
                r = request->check(error);
        if (r >= 0)
                r = read_settings(request, error, &state);
        if (r < 0)
                return r;
        purpose = strdup(request->purpose);
        key = request->key ? strdup(request->key) : NULL;
        if (!purpose || (request->key && !key))
                return error_set_errno(error, -ENOMEM, "Cannot lend the kernel's settings");
        r = save(fd, &state);
        if (r < 0)
                return error_set_errno(error, r, "Cannot keep the kernel's settings in %s", lease->directory);
        lease->state = state;
        state = (LeaseState){ 0 };
        lease->purpose = STEAL_PTR(purpose);
        lease->key = STEAL_PTR(key);
        lease->directory_fd = steal_fd(&fd);
        return 0;
}

static void claim_free(LeaseClaim *claim) {
        free(claim->holder);
        free(claim);
}

int lease_claim(Lease *lease, const LeaseRequest *request, Error *error, LeaseClaim **ret) {
        LeaseClaim *claim;
        bool first = LIST_EMPTY(&lease->claims);
        int r;

        if (!first && (!request->key || !lease->key || strcmp(request->key, lease->key) != 0))
                return error_set(error, ERROR_BUSY, "%s is in use by the session \"%s\"", lease->purpose,
                                 LIST_FIRST(&lease->claims)->holder);
        claim = calloc(1, sizeof(*claim));
        if (!claim)
                return error_set_errno(error, -ENOMEM, "Cannot lend the kernel's settings");
        *claim = (LeaseClaim){ .lease = lease, .holder = strdup(request->holder), .first = first };
        r = claim->holder ? 0 : error_set_errno(error, -ENOMEM, "Cannot lend the kernel's settings");
        if (r >= 0 && first)
                r = begin(lease, request, error);
        if (r < 0) {
                claim_free(claim);
                return r;
        }
        LIST_INSERT_HEAD(&lease->claims, claim, claims);
        *ret = claim;
        return 0;
}

bool lease_claim_is_first(const LeaseClaim *claim) {
        return claim->first;
}

int lease_release(LeaseClaim *claim) {
        Lease *lease;
        int r = 0;

        if (!claim)
                return 0;
        lease = claim->lease;
        LIST_REMOVE(claim, claims);
        claim_free(claim);
        if (!LIST_EMPTY(&lease->claims))
                return 0;
        r = restore(lease->directory_fd, &lease->state);
        clear(lease);
        return r;
}

void lease_claim_free(LeaseClaim *claim) {
        if (!claim)
                return;
        LIST_REMOVE(claim, claims);
        claim_free(claim);
}
