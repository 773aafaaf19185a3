/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-polkit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* CheckAuthorizationFlags of polkit's D-Bus interface. */
#define POLKIT_ALLOW_USER_INTERACTION 1U

typedef struct Check {
        LIST_ENTRY(Check) checks;
        BusPolkit *polkit;
        sd_bus_slot *slot;
        char *peer;
        uid_t uid;
        bool interactive;
        uint64_t number;
        BusPolkitDone done;
        void *userdata;
} Check;

LIST_HEAD(CheckList, Check);

struct BusPolkit {
        sd_bus *bus; /* borrowed */
        uint64_t last_number;
        struct CheckList checks;
};

static void check_free(Check *check) {
        LIST_REMOVE(check, checks);
        sd_bus_slot_unref(check->slot);
        free(check->peer);
        free(check);
}

static void check_finish(Check *check, int r, const Error *error) {
        BusPolkitDone done = check->done;
        void *userdata = check->userdata;

        check_free(check);
        done(r, error, userdata);
}

/* The id under which polkit knows the question; unique among those of this connection. */
static void check_format_id(const Check *check, size_t size, char *ret) {
        (void) snprintf(ret, size, "ktraced-%" PRIu64, check->number);
}

/* Nothing depends on the answer, so none is asked for. */
static void check_withdraw(const Check *check) {
        char id[32];

        check_format_id(check, sizeof(id), id);
        (void) sd_bus_call_method_async(check->polkit->bus, NULL, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                        "CancelCheckAuthorization", NULL, NULL, "s", id);
}

static bool is_polkit_absent(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit") ||
               sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitMasked") ||
               strncmp(error->name, "org.freedesktop.DBus.Error.Spawn.", 33) == 0;
}

static int check_read_failure(const Check *check, sd_bus_message *reply, Error *error) {
        const sd_bus_error *failure = sd_bus_message_get_error(reply);

        if (is_polkit_absent(failure))
                return error_set(error, ERROR_ACCESS_DENIED, "Only root may do this, since polkit is not available");

        /* Both sd-bus, when the time is over, and the bus daemon, when polkit dies, say NoReply. */
        if (sd_bus_error_has_name(failure, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(failure, SD_BUS_ERROR_TIMEOUT)) {
                check_withdraw(check);
                return error_set(error, ERROR_TIMED_OUT, "polkit did not answer in time");
        }

        return error_set(error, ERROR_ACCESS_DENIED, "polkit failed to answer: %s",
                         failure->message ? failure->message : failure->name);
}

static int result_read_dismissed(sd_bus_message *reply, bool *ret) {
        const char *key, *value;
        bool dismissed = false;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{ss}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(reply, "{ss}", &key, &value)) > 0)
                if (strcmp(key, "polkit.dismissed") == 0)
                        dismissed = true;
        if (r < 0)
                return r;

        *ret = dismissed;
        return 0;
}

static int check_read_result(const Check *check, sd_bus_message *reply, Error *error) {
        int is_authorized, is_challenge, r;
        bool dismissed;

        if (sd_bus_message_is_method_error(reply, NULL))
                return check_read_failure(check, reply, error);

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &is_authorized, &is_challenge);
        if (r >= 0)
                r = result_read_dismissed(reply, &dismissed);
        if (r < 0)
                return error_set(error, ERROR_ACCESS_DENIED, "polkit's answer cannot be read");

        if (is_authorized)
                return 0;
        if (dismissed)
                return error_set(error, ERROR_ACCESS_DENIED, "The authentication was dismissed");
        if (is_challenge && check->interactive)
                return error_set(error, ERROR_INTERACTION_REQUIRED,
                                 "Authentication is required, but there is no agent to ask for it");
        if (is_challenge)
                return error_set(error, ERROR_INTERACTION_REQUIRED, "Interactive authentication is required");

        return error_set(error, ERROR_ACCESS_DENIED, "Not authorized");
}

static int check_on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Check *check = userdata;
        int r;

        r = check_read_result(check, reply, &error);
        check_finish(check, r, &error);
        return 0;
}

static int message_append_details(sd_bus_message *message, char *const *details) {
        int r;

        r = sd_bus_message_open_container(message, 'a', "{ss}");
        if (r < 0)
                return r;

        for (char *const *detail = details; detail && detail[0]; detail += 2) {
                r = sd_bus_message_append(message, "{ss}", detail[0], detail[1]);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(message);
}

static int check_send(Check *check, const BusPolkitQuestion *question, uint64_t timeout) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        char id[32];
        int r;

        r = sd_bus_message_new_method_call(check->polkit->bus, &message, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;

        r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s", question->peer,
                                  question->action);
        if (r < 0)
                return r;

        r = message_append_details(message, question->details);
        if (r < 0)
                return r;

        check_format_id(check, sizeof(id), id);
        r = sd_bus_message_append(message, "us", question->interactive ? POLKIT_ALLOW_USER_INTERACTION : 0U, id);
        if (r < 0)
                return r;

        /* To sd-bus, 0 is the general time-out of the connection. */
        return sd_bus_call_async(check->polkit->bus, &check->slot, message, check_on_reply, check,
                                 timeout > 0 ? timeout : 1);
}

static int polkit_check_quota(const BusPolkit *polkit, const Settings *settings, uid_t uid, Error *error) {
        uint64_t n = 0, n_of_user = 0;
        const Check *check;

        LIST_FOREACH(check, &polkit->checks, checks) {
                n++;
                if (check->uid == uid)
                        n_of_user++;
        }

        if (n_of_user >= settings->authorizations_per_user_max)
                return error_set(error, ERROR_QUOTA_EXCEEDED,
                                 "%" PRIu64 " authorizations of this user are pending, %" PRIu64 " may be", n_of_user,
                                 settings->authorizations_per_user_max);
        if (n >= settings->authorizations_max)
                return error_set(error, ERROR_QUOTA_EXCEEDED,
                                 "%" PRIu64 " authorizations are pending, %" PRIu64 " may be", n,
                                 settings->authorizations_max);
        return 0;
}

void bus_polkit_check(BusPolkit *polkit, const Settings *settings, const BusPolkitQuestion *question,
                      BusPolkitDone done, void *userdata) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        Check *check;
        int r;

        r = polkit_check_quota(polkit, settings, question->uid, &error);
        if (r < 0) {
                done(r, &error, userdata);
                return;
        }

        check = calloc(1, sizeof(*check));
        if (!check) {
                done(error_set(&error, ERROR_NO_MEMORY, "Out of memory"), &error, userdata);
                return;
        }

        check->polkit = polkit;
        check->uid = question->uid;
        check->interactive = question->interactive;
        check->number = ++polkit->last_number;
        check->done = done;
        check->userdata = userdata;
        LIST_INSERT_HEAD(&polkit->checks, check, checks);

        check->peer = strdup(question->peer);
        r = check->peer ? check_send(check, question, settings->authorization_timeout) : -ENOMEM;
        if (r < 0) {
                r = error_set_errno(&error, r, "Failed to ask polkit");
                check_finish(check, r, &error);
        }
}

/* One at a time from the start of the list: calling back may change it. */
static Check *polkit_find_peer(const BusPolkit *polkit, const char *peer) {
        Check *check;

        LIST_FOREACH(check, &polkit->checks, checks)
                if (strcmp(check->peer, peer) == 0)
                        return check;

        return NULL;
}

void bus_polkit_cancel_peer(BusPolkit *polkit, const char *peer) {
        Check *check;

        while ((check = polkit_find_peer(polkit, peer))) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r;

                check_withdraw(check);
                r = error_set(&error, ERROR_CANCELLED, "The client has left");
                check_finish(check, r, &error);
        }
}

int bus_polkit_new(sd_bus *bus, BusPolkit **ret) {
        BusPolkit *polkit;

        polkit = calloc(1, sizeof(*polkit));
        if (!polkit)
                return -ENOMEM;

        polkit->bus = bus;
        LIST_INIT(&polkit->checks);
        *ret = polkit;
        return 0;
}

void bus_polkit_free(BusPolkit *polkit) {
        Check *check;

        if (!polkit)
                return;

        while ((check = LIST_FIRST(&polkit->checks)))
                check_free(check);
        free(polkit);
}
