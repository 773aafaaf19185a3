/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The input says what stands in an a{sv}: for each entry a key, the type of its value, and the value. */

#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "bus/bus-connect.h"
#include "bus/bus-spec.h"

typedef struct Input {
        const uint8_t *data;
        size_t size;
} Input;

static uint8_t take(Input *input) {
        if (input->size == 0)
                return 0;
        input->size--;
        return *input->data++;
}

/* Up to the next zero byte or slash, which keeps seeds readable; in ASCII, since sd-bus takes UTF-8 only. */
static char *take_text(Input *input) {
        size_t n = 0;
        char *text;

        while (n < input->size && input->data[n] != 0 && input->data[n] != '/')
                n++;
        text = fuzz_text(input->data, n);
        for (size_t i = 0; i < n; i++)
                text[i] = (char) (text[i] & 0x7f ? text[i] & 0x7f : 1);
        input->data += n;
        input->size -= n;
        (void) take(input);
        return text;
}

static int append_text(sd_bus_message *message, Input *input) {
        CLEANUP_FREE char *text = take_text(input);

        return sd_bus_message_append(message, "s", text);
}

static int append_array(sd_bus_message *message, Input *input, const char *type) {
        unsigned n = take(input) % 8U;
        int r = sd_bus_message_open_container(message, 'a', type);

        for (; r >= 0 && n > 0; n--) {
                if (type[0] == 's')
                        r = append_text(message, input);
                else if (type[0] == 'h')
                        r = sd_bus_message_append(message, "h", STDIN_FILENO);
                else if (type[0] == '{') {
                        r = sd_bus_message_open_container(message, 'e', "ss");
                        if (r >= 0)
                                r = append_text(message, input);
                        if (r >= 0)
                                r = append_text(message, input);
                        if (r >= 0)
                                r = sd_bus_message_close_container(message);
                } else
                        r = sd_bus_message_append(message, type, (int) (int8_t) take(input) * 1000003);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_value(sd_bus_message *message, Input *input, const char *type) {
        switch (type[0]) {
        case 's':
                return append_text(message, input);
        case 'b':
                return sd_bus_message_append(message, "b", take(input) & 1);
        case 'u':
                return sd_bus_message_append(message, "u", (uint32_t) take(input) << (take(input) % 25U));
        case 't':
                return sd_bus_message_append(message, "t", (uint64_t) take(input) << (take(input) % 57U));
        case 'h':
                return sd_bus_message_append(message, "h", STDIN_FILENO);
        default:
                return append_array(message, input, type + 1);
        }
}

static int append_entry(sd_bus_message *message, Input *input) {
        static const char *const types[] = { "s", "b", "u", "t", "h", "as", "a{ss}", "ai", "au", "ah" };
        CLEANUP_FREE char *key = take_text(input);
        const char *type = types[take(input) % ELEMENTSOF(types)];
        int r = sd_bus_message_open_container(message, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(message, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'v', type);
        if (r >= 0)
                r = append_value(message, input, type);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

/* One connection for all runs: making it takes longer than reading. */
static sd_bus *connection(void) {
        static sd_bus *bus;
        int pair[2];

        if (!bus) {
                FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
                FUZZ_CHECK(bus_connect_client(pair[0], &bus) >= 0);
        }
        return bus;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_freep) Spec *spec = NULL;
        Input input = { .data = data, .size = size };
        int r;

        FUZZ_CHECK(sd_bus_message_new_signal(connection(), &message, "/a", "a.b", "C") >= 0);
        FUZZ_CHECK(sd_bus_message_open_container(message, 'a', "{sv}") >= 0);
        while (input.size > 0)
                FUZZ_CHECK(append_entry(message, &input) >= 0);
        FUZZ_CHECK(sd_bus_message_close_container(message) >= 0);
        FUZZ_CHECK(sd_bus_message_seal(message, 1, 0) >= 0);
        FUZZ_CHECK(sd_bus_message_rewind(message, 1) >= 0);

        r = bus_spec_read(message, &error, &spec);
        fuzz_check_error(&error, r, 3);
        FUZZ_CHECK((r >= 0) == (spec != NULL));
        return 0;
}
