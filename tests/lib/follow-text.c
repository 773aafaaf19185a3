/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `follow-text PATH`: what OpenStream gives as text for the session with that object path, on standard output. */

#include <stdio.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char buffer[4096];
        sd_bus *bus = NULL;
        ssize_t n;
        int fd, r;

        if (argc != 2 || sd_bus_open_system(&bus) < 0)
                return 2;
        r = sd_bus_call_method(bus, "org.ktraced1", argv[1], "org.ktraced1.Session", "OpenStream", &error, &reply,
                               "a{sv}", 1, "format", "s", "text");
        if (r < 0 || sd_bus_message_read(reply, "h", &fd) < 0) {
                fprintf(stderr, "%s\n", error.message ? error.message : "no stream");
                return 1;
        }
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                if (write(STDOUT_FILENO, buffer, (size_t) n) != n)
                        break;
        return 0;
}
