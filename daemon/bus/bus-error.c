/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-error.h"

int bus_error_fill(sd_bus_error *ret_error, int r, const Error *error) {
        if (error && error->code != ERROR_NONE)
                return sd_bus_error_set(ret_error, error_code_to_dbus_name(error->code), error_text(error));

        const Error general = { .code = error_code_from_errno(r) };

        return sd_bus_error_set(ret_error, error_code_to_dbus_name(general.code), error_text(&general));
}

int bus_error_reply(sd_bus_message *call, int r, const Error *error) {
        CLEANUP(sd_bus_error_free) sd_bus_error bus_error = SD_BUS_ERROR_NULL;

        (void) bus_error_fill(&bus_error, r, error);
        return sd_bus_reply_method_error(call, &bus_error);
}
