/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/log.h"

int bus_connect_system(Error *error, sd_bus **ret) {
        sd_bus *bus;
        int r;

        r = sd_bus_open_system_with_description(&bus, LOG_IDENTIFIER);
        if (r < 0)
                return error_set_errno(error, r, "Failed to connect to the system bus");

        *ret = bus;
        return 0;
}

int bus_connect_check_peer(int fd, Error *error) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return error_set_errno(error, -errno, "Failed to see who is at the other end of the socket");

        if (peer.uid != 0 && peer.uid != geteuid())
                return error_set(error, ERROR_ACCESS_DENIED, "User %u may not be served", (unsigned) peer.uid);

        return 0;
}

/* Takes the descriptor over, also on failure. */
static int connection_new(int fd, sd_bus **ret) {
        CLEANUP_CLOSE int owned = fd;
        sd_bus *bus;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;

        r = sd_bus_set_fd(bus, owned, owned);
        if (r >= 0) {
                (void) steal_fd(&owned);
                r = sd_bus_negotiate_fds(bus, true);
        }
        if (r < 0) {
                sd_bus_close_unref(bus);
                return r;
        }

        *ret = bus;
        return 0;
}

static int connection_start(sd_bus *bus, sd_bus **ret) {
        int r;

        r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_close_unref(bus);
                return r;
        }

        *ret = bus;
        return 0;
}

int bus_connect_server(int fd, sd_bus **ret) {
        sd_id128_t id;
        sd_bus *bus;
        int r;

        r = connection_new(fd, &bus);
        if (r < 0)
                return r;

        /* Who the peer is was checked on the socket; what it says about itself does not matter. */
        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_set_server(bus, true, id);
        if (r >= 0)
                r = sd_bus_set_anonymous(bus, true);
        if (r < 0) {
                sd_bus_close_unref(bus);
                return r;
        }

        return connection_start(bus, ret);
}

int bus_connect_client(int fd, sd_bus **ret) {
        sd_bus *bus;
        int r;

        r = connection_new(fd, &bus);
        if (r < 0)
                return r;

        return connection_start(bus, ret);
}
