/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BusPeers: which user is behind each unique name on the bus, and word of those that leave.
 *
 * The bus daemon is asked once for each peer, asynchronously (org.freedesktop.DBus.GetConnectionCredentials);
 * the answer is kept until the peer leaves. sd_bus_query_sender_creds() would ask as well, but wait for the
 * answer. One match on NameOwnerChanged serves all peers: dbus-daemon allows 512 matches for a connection.
 *
 * On a connection without a bus daemon (embedded) the one peer has no name, is root, and never leaves
 * before the connection ends.
 *
 * Life cycle: bus_peers_new() before the connection is served; bus_peers_free() drops what is pending
 * without calling back.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "ktraced/cleanup.h"

typedef struct BusPeers BusPeers;

/* `r` is 0, or -errno when the peer has left or the bus did not say. */
typedef void (*BusPeersDone)(int r, uid_t uid, void *userdata);

typedef struct BusPeersConfig {
        sd_bus *bus; /* borrowed */
        bool embedded;
        void (*gone)(const char *name, void *userdata); /* a peer that was asked about has left the bus */
        void *userdata;
} BusPeersConfig;

int bus_peers_new(const BusPeersConfig *config, BusPeers **ret);
void bus_peers_free(BusPeers *peers);
DEFINE_POINTER_CLEANUP(BusPeers, bus_peers_free);

/* Calls back exactly once, at once when the answer is known, and in the order of the queries about a peer. */
void bus_peers_query(BusPeers *peers, const char *name, BusPeersDone done, void *userdata);

/* The groups of a peer that is known, as the bus daemon says (from dbus 1.14 on, primary and supplementary ones);
 * none when it does not. Borrowed until the event loop goes on. */
void bus_peers_get_groups(const BusPeers *peers, const char *name, gid_t **ret, size_t *ret_n);

/* True when the peer's user is known and the peer is still there. */
bool bus_peers_lookup(const BusPeers *peers, const char *name, uid_t *ret);

/* The process that was behind a known peer when it was asked about; 0 when the bus does not know. For what is shown
 * only: the number can pass to another process. */
pid_t bus_peers_get_pid(const BusPeers *peers, const char *name);
