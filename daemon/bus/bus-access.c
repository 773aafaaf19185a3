/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-access.h"

#include <stdint.h>
#include <string.h>

#include "ktraced/protocol.h"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

#define ACTION(name) "org.ktraced1." name

static const AccessRow access_table[] = {
        { KTRACED_MANAGER_INTERFACE, "CreateSession", ACCESS_POWERS, NULL },
        { KTRACED_MANAGER_INTERFACE, "StartSession", ACCESS_POWERS, NULL },
        { KTRACED_MANAGER_INTERFACE, "TryProbes", ACCESS_POWERS, NULL },
        { KTRACED_MANAGER_INTERFACE, "MeasureEvents", ACCESS_POWERS, NULL },
        { KTRACED_MANAGER_INTERFACE, "EstimateSession", ACCESS_POWERS, NULL },
        { KTRACED_MANAGER_INTERFACE, "GetSession", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "ListSessions", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "ListCaptures", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "GetCapture", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "ListEvents", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "DescribeEvent", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "ListTracers", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "ListFunctions", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "ListProfiles", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "DescribeProfile", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "Capabilities", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "Describe", ACCESS_ACTION, ACTION("query") },
        { KTRACED_MANAGER_INTERFACE, "Vacuum", ACCESS_ACTION, ACTION("manage-captures") },
        { KTRACED_MANAGER_INTERFACE, "Reload", ACCESS_ACTION, ACTION("manage-daemon") },

        { KTRACED_SESSION_INTERFACE, "Start", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Stop", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Reload", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Rotate", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Snapshot", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Clear", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Remove", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "AddProcess", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "ReadHistogram", ACCESS_OWNER, ACTION("read-captures") },
        { KTRACED_SESSION_INTERFACE, "OpenStream", ACCESS_OWNER, ACTION("read-captures") },
        { KTRACED_SESSION_INTERFACE, "OpenMarker", ACCESS_OWNER, ACTION("manage-sessions") },
        { KTRACED_SESSION_INTERFACE, "Describe", ACCESS_OWNER, ACTION("read-captures") },

        { KTRACED_CAPTURE_INTERFACE, "Describe", ACCESS_OWNER, ACTION("read-captures") },
        { KTRACED_CAPTURE_INTERFACE, "Open", ACCESS_OWNER, ACTION("read-captures") },
        { KTRACED_CAPTURE_INTERFACE, "Pin", ACCESS_OWNER, ACTION("manage-captures") },
        { KTRACED_CAPTURE_INTERFACE, "Delete", ACCESS_OWNER, ACTION("manage-captures") },

        /* The only properties that can be set are those of org.freedesktop.LogControl1. */
        { PROPERTIES_INTERFACE, "Set", ACCESS_ROOT, NULL },
};

static const struct {
        SpecPower power;
        const char *action;
} power_actions[] = {
        { POWER_TRACE_SELF, ACTION("trace-self") },
        { POWER_TRACE_SYSTEM, ACTION("trace-system") },
        { POWER_TRACE_FUNCTIONS, ACTION("trace-functions") },
        { POWER_DEFINE_PROBES, ACTION("define-probes") },
        { POWER_KERNEL_ADDRESSES, ACTION("kernel-addresses") },
};

const AccessRow *bus_access_find(const char *interface, const char *member) {
        for (size_t i = 0; i < ELEMENTSOF(access_table); i++)
                if (strcmp(access_table[i].interface, interface) == 0 && strcmp(access_table[i].member, member) == 0)
                        return &access_table[i];

        return NULL;
}

bool bus_access_changes(const AccessRow *row) {
        return row->rule == ACCESS_POWERS ||
               (row->action && strncmp(row->action, ACTION("manage-"), strlen(ACTION("manage-"))) == 0);
}

int bus_access_check_vtable(const char *interface, const sd_bus_vtable *vtable, Error *error) {
        for (const sd_bus_vtable *entry = vtable; entry->type != _SD_BUS_VTABLE_END; entry++)
                if (entry->type == _SD_BUS_VTABLE_METHOD && !bus_access_find(interface, entry->x.method.member))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "No access rule for %s.%s", interface,
                                         entry->x.method.member);

        return 0;
}

const char *bus_access_next_action(unsigned *powers, unsigned *ret_power) {
        for (size_t i = 0; i < ELEMENTSOF(power_actions); i++)
                if (*powers & power_actions[i].power) {
                        *powers &= ~(unsigned) power_actions[i].power;
                        *ret_power = power_actions[i].power;
                        return power_actions[i].action;
                }

        return NULL;
}
