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

/* polkit answers one question after the other, in milliseconds, but for those that take a dialog. So of each user one
 * is put to it at a time, or who asks most would have others wait for all of theirs; one that is out for longer than
 * this waits for a person, and holds up none. */
#define PATIENCE_USEC 100000U

typedef struct Check {
        LIST_ENTRY(Check) checks;
        BusPolkit *polkit;
        BusPolkitQuestion question; /* its strings are the asking one's, but the peer */
        uint64_t timeout;           /* usec */
        uint64_t asked;             /* when, CLOCK_MONOTONIC; 0: not yet */
        sd_bus_slot *slot;
        char *peer;
        uint64_t number;
        BusPolkitDone done;
        void *userdata;
} Check;

LIST_HEAD(CheckList, Check);

struct BusPolkit {
        sd_bus *bus; /* borrowed, as is the next */
        sd_event *event;
        uint64_t last_number;
        struct CheckList checks; /* the newest first */
        sd_event_source *timer;  /* for the oldest that waits for another of its user */
};

static void polkit_ask(BusPolkit *polkit);

static void check_free(Check *check) {
        LIST_REMOVE(check, checks);
        sd_bus_slot_unref(check->slot);
        free(check->peer);
        free(check);
}

static void check_finish(Check *check, int r, const Error *error) {
        BusPolkitDone done = check->done;
        void *userdata = check->userdata;
        BusPolkit *polkit = check->polkit;

        check_free(check);
        done(r, error, userdata);
        polkit_ask(polkit);
}

/* The id under which polkit knows the question; unique among those of this connection. */
static void check_format_id(const Check *check, size_t size, char *ret) {
        (void) snprintf(ret, size, "ktraced-%" PRIu64, check->number);
}

/* Nothing depends on the answer, so none is asked for. */
static void check_withdraw(const Check *check) {
        char id[32];

        if (check->asked == 0)
                return;
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
        if (is_challenge && check->question.interactive)
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

static int check_send(Check *check) {
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        const BusPolkitQuestion *question = &check->question;
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
                                 check->timeout > 0 ? check->timeout : 1);
}

/* How long it has to wait for another of its user; 0: not at all. */
static uint64_t check_wait(const Check *check, uint64_t now) {
        const Check *other;
        uint64_t wait = 0;

        LIST_FOREACH(other, &check->polkit->checks, checks)
                if (other->asked > 0 && other->question.uid == check->question.uid &&
                    other->asked + PATIENCE_USEC > now + wait)
                        wait = other->asked + PATIENCE_USEC - now;
        return wait;
}

static int polkit_on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        polkit_ask(userdata);
        return 0;
}

static void polkit_set_timer(BusPolkit *polkit, uint64_t usec) {
        if (sd_event_source_set_time_relative(polkit->timer, usec) >= 0)
                (void) sd_event_source_set_enabled(polkit->timer, SD_EVENT_ONESHOT);
}

/* The oldest that can be asked; or NULL, with what the first of those that wait has to wait, 0 if none does. */
static Check *polkit_find_next(const BusPolkit *polkit, uint64_t now, uint64_t *ret_wait) {
        Check *check, *next = NULL;
        uint64_t least = 0;

        LIST_FOREACH(check, &polkit->checks, checks)
                if (check->asked == 0) {
                        uint64_t wait = check_wait(check, now);

                        if (wait == 0)
                                next = check;
                        else if (least == 0 || wait < least)
                                least = wait;
                }

        *ret_wait = least;
        return next;
}

/* Puts to polkit what can be; from the start each time, since who is told of a failure may ask again. */
static void polkit_ask(BusPolkit *polkit) {
        uint64_t now, wait = 0;
        Check *check;

        while (sd_event_now(polkit->event, CLOCK_MONOTONIC, &now) >= 0 &&
               (check = polkit_find_next(polkit, now, &wait))) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                int r;

                check->asked = now;
                r = check_send(check);
                if (r < 0) {
                        r = error_set_errno(&error, r, "Failed to ask polkit");
                        check_finish(check, r, &error);
                }
        }
        if (wait > 0)
                polkit_set_timer(polkit, wait);
}

static int polkit_check_quota(const BusPolkit *polkit, const Settings *settings, uid_t uid, Error *error) {
        uint64_t n = 0, n_of_user = 0;
        const Check *check;

        LIST_FOREACH(check, &polkit->checks, checks) {
                n++;
                if (check->question.uid == uid)
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
        check->question = *question;
        check->timeout = settings->authorization_timeout;
        check->number = ++polkit->last_number;
        check->done = done;
        check->userdata = userdata;
        LIST_INSERT_HEAD(&polkit->checks, check, checks);

        check->question.peer = check->peer = strdup(question->peer);
        if (!check->peer) {
                r = error_set_errno(&error, -ENOMEM, "Failed to ask polkit");
                check_finish(check, r, &error);
                return;
        }
        polkit_ask(polkit);
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

int bus_polkit_new(sd_bus *bus, sd_event *event, BusPolkit **ret) {
        CLEANUP(bus_polkit_freep) BusPolkit *polkit = NULL;
        int r;

        polkit = calloc(1, sizeof(*polkit));
        if (!polkit)
                return -ENOMEM;

        polkit->bus = bus;
        polkit->event = event;
        LIST_INIT(&polkit->checks);
        r = sd_event_add_time_relative(event, &polkit->timer, CLOCK_MONOTONIC, 0, 1000, polkit_on_timer, polkit);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(polkit->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(polkit);
        return 0;
}

void bus_polkit_free(BusPolkit *polkit) {
        Check *check;

        if (!polkit)
                return;

        while ((check = LIST_FIRST(&polkit->checks)))
                check_free(check);
        sd_event_source_disable_unref(polkit->timer);
        free(polkit);
}
