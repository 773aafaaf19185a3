/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes into the trace of a session of one's own: marker SESSION; build with: cc marker.c $(pkg-config --cflags
 * --libs libsystemd) */
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

int main(int argc, char **argv) {
        sd_bus_message *session = NULL, *marker = NULL;
        const char *path;
        sd_bus *bus;
        int fd;

        if (argc != 2 || sd_bus_open_system(&bus) < 0 ||
            sd_bus_call_method(bus, "org.ktraced1", "/org/ktraced1", "org.ktraced1.Manager", "GetSession", NULL,
                               &session, "s", argv[1]) < 0 ||
            sd_bus_message_read(session, "o", &path) < 0 ||
            sd_bus_call_method(bus, "org.ktraced1", path, "org.ktraced1.Session", "OpenMarker", NULL, &marker, NULL) <
                    0 ||
            sd_bus_message_read(marker, "h", &fd) < 0)
                return 1;
        /* From here on a line is one write(2), which never waits. */
        return dprintf(fd, "frame %d begins\n", 1) < 0 || dprintf(fd, "frame %d ends\n", 1) < 0;
}
