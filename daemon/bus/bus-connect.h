/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Connections: to the system bus, and over a socket that two processes share, without a bus daemon.
 * None is attached to an event loop yet. The caller unreferences the result.
 */

#include <systemd/sd-bus.h>

#include "core/error.h"

int bus_connect_system(Error *error, sd_bus **ret);

/* ERROR_ACCESS_DENIED unless the process that made the socket (SO_PEERCRED) runs as root or as this process's
 * user. */
int bus_connect_check_peer(int fd, Error *error);

/* The socket is taken over, also on failure. Descriptors can be passed. */
int bus_connect_server(int fd, sd_bus **ret);
int bus_connect_client(int fd, sd_bus **ret);
