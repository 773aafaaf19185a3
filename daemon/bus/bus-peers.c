/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-peers.h"

#include <errno.h>
#include <json-c/linkhash.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define PEERS_SIZE 32 /* to begin with; the table grows */

typedef struct Waiter {
        STAILQ_ENTRY(Waiter) waiters;
        BusPeersDone done;
        void *userdata;
} Waiter;

STAILQ_HEAD(WaiterList, Waiter);

typedef struct Peer {
        BusPeers *peers;
        char *name;
        bool known;
        uid_t uid;
        pid_t pid; /* 0: the bus did not say */
        gid_t *gids;
        size_t n_gids;
        sd_bus_slot *slot;         /* the question that is under way */
        struct WaiterList waiters; /* in the order of their calls */
} Peer;

struct BusPeers {
        BusPeersConfig config;
        struct lh_table *table; /* name -> Peer */
        sd_bus_slot *vanished;
};

static void peer_free(Peer *peer) {
        Waiter *waiter;

        while ((waiter = STAILQ_FIRST(&peer->waiters))) {
                STAILQ_REMOVE_HEAD(&peer->waiters, waiters);
                free(waiter);
        }

        sd_bus_slot_unref(peer->slot);
        free(peer->gids);
        free(peer->name);
        free(peer);
}

static void peer_free_entry(struct lh_entry *entry) {
        peer_free(lh_entry_v(entry));
}

static Peer *peers_find(const BusPeers *peers, const char *name) {
        void *peer;

        return lh_table_lookup_ex(peers->table, name, &peer) ? peer : NULL;
}

/* Takes the waiters out first: one that is called may ask again. */
static void peer_answer(Peer *peer, int r) {
        struct WaiterList waiters = STAILQ_HEAD_INITIALIZER(waiters);
        uid_t uid = peer->uid;
        Waiter *waiter;

        STAILQ_CONCAT(&waiters, &peer->waiters);
        if (r < 0)
                (void) lh_table_delete(peer->peers->table, peer->name);

        while ((waiter = STAILQ_FIRST(&waiters))) {
                STAILQ_REMOVE_HEAD(&waiters, waiters);
                waiter->done(r, uid, waiter->userdata);
                free(waiter);
        }
}

static int groups_read(sd_bus_message *reply, Peer *peer) {
        CLEANUP_FREE gid_t *gids = NULL;
        const void *array;
        size_t size;
        int r;

        r = sd_bus_message_enter_container(reply, 'v', "au");
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(reply, 'u', &array, &size);
        if (r < 0)
                return r;
        gids = malloc(size + 1);
        if (!gids)
                return -ENOMEM;
        memcpy(gids, array, size);
        free(peer->gids);
        peer->gids = STEAL_PTR(gids);
        peer->n_gids = size / sizeof(gid_t);
        return sd_bus_message_exit_container(reply);
}

/* The process is nice to know. */
static int credentials_read(sd_bus_message *reply, Peer *peer) {
        bool has_uid = false;
        const char *key;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read(reply, "s", &key);
                if (r < 0)
                        return r;

                if (strcmp(key, "UnixUserID") == 0) {
                        uint32_t uid = 0;

                        r = sd_bus_message_read(reply, "v", "u", &uid);
                        peer->uid = uid;
                        has_uid = true;
                } else if (strcmp(key, "ProcessID") == 0) {
                        uint32_t pid = 0;

                        r = sd_bus_message_read(reply, "v", "u", &pid);
                        peer->pid = (pid_t) pid;
                } else if (strcmp(key, "UnixGroupIDs") == 0)
                        r = groups_read(reply, peer);
                else
                        r = sd_bus_message_skip(reply, "v");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return r;
        }

        if (r < 0)
                return r;
        return has_uid ? 0 : -ENODATA;
}

static int peer_on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Peer *peer = userdata;
        int r;

        peer->slot = sd_bus_slot_unref(peer->slot);

        if (sd_bus_message_is_method_error(reply, NULL))
                r = -sd_bus_message_get_errno(reply);
        else
                r = credentials_read(reply, peer);

        peer->known = r >= 0;
        peer_answer(peer, r);
        return 0;
}

static int peers_on_vanished(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error) {
        BusPeers *peers = userdata;
        const char *name;
        Peer *peer;

        if (sd_bus_message_read(signal, "sss", &name, NULL, NULL) < 0)
                return 0;

        peer = peers_find(peers, name);
        if (!peer)
                return 0;

        peer_answer(peer, -ENXIO);
        peers->config.gone(name, peers->config.userdata);
        return 0;
}

int bus_peers_new(const BusPeersConfig *config, BusPeers **ret) {
        CLEANUP(bus_peers_freep) BusPeers *peers = NULL;
        int r;

        peers = calloc(1, sizeof(*peers));
        if (!peers)
                return -ENOMEM;

        peers->config = *config;
        peers->table = lh_kchar_table_new(PEERS_SIZE, peer_free_entry);
        if (!peers->table) {
                /* cppcheck-suppress memleak ; the attribute frees it */
                return -ENOMEM;
        }

        if (!config->embedded) {
                r = sd_bus_add_match_async(config->bus, &peers->vanished,
                                           "type='signal',sender='org.freedesktop.DBus',"
                                           "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                                           "member='NameOwnerChanged',arg2=''",
                                           peers_on_vanished, NULL, peers);
                if (r < 0)
                        return r;
        }

        *ret = STEAL_PTR(peers);
        return 0;
}

void bus_peers_free(BusPeers *peers) {
        if (!peers)
                return;

        sd_bus_slot_unref(peers->vanished);
        if (peers->table)
                lh_table_free(peers->table);
        free(peers);
}

static int peers_ask(BusPeers *peers, const char *name, Peer **ret) {
        Peer *peer;
        int r;

        peer = calloc(1, sizeof(*peer));
        if (!peer)
                return -ENOMEM;

        peer->peers = peers;
        STAILQ_INIT(&peer->waiters);
        peer->name = strdup(name);
        if (!peer->name) {
                r = -ENOMEM;
                goto fail;
        }

        r = sd_bus_call_method_async(peers->config.bus, &peer->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionCredentials", peer_on_credentials, peer,
                                     "s", name);
        if (r < 0)
                goto fail;

        if (lh_table_insert(peers->table, peer->name, peer) < 0) {
                r = -ENOMEM;
                goto fail;
        }

        *ret = peer;
        return 0;

fail:
        peer_free(peer);
        return r;
}

void bus_peers_query(BusPeers *peers, const char *name, BusPeersDone done, void *userdata) {
        Waiter *waiter;
        Peer *peer;
        uid_t uid;
        int r;

        if (bus_peers_lookup(peers, name, &uid)) {
                done(0, uid, userdata);
                return;
        }

        waiter = malloc(sizeof(*waiter));
        if (!waiter) {
                done(-ENOMEM, 0, userdata);
                return;
        }

        peer = peers_find(peers, name);
        if (!peer) {
                r = peers_ask(peers, name, &peer);
                if (r < 0) {
                        free(waiter);
                        done(r, 0, userdata);
                        return;
                }
        }

        *waiter = (Waiter){ .done = done, .userdata = userdata };
        STAILQ_INSERT_TAIL(&peer->waiters, waiter, waiters);
}

void bus_peers_get_groups(const BusPeers *peers, const char *name, gid_t **ret, size_t *ret_n) {
        const Peer *peer = peers->config.embedded ? NULL : peers_find(peers, name);

        *ret = peer && peer->known ? peer->gids : NULL;
        *ret_n = peer && peer->known ? peer->n_gids : 0;
}

bool bus_peers_lookup(const BusPeers *peers, const char *name, uid_t *ret) {
        const Peer *peer;

        if (peers->config.embedded) {
                *ret = 0;
                return true;
        }

        peer = peers_find(peers, name);
        if (!peer || !peer->known)
                return false;

        *ret = peer->uid;
        return true;
}

pid_t bus_peers_get_pid(const BusPeers *peers, const char *name) {
        const Peer *peer;

        /* The client is the daemon's parent. */
        if (peers->config.embedded)
                return getppid();

        peer = peers_find(peers, name);
        return peer && peer->known ? peer->pid : 0;
}
