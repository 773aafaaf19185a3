/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/safe-events.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "core/strv.h"
#include "core/text.h"

/*
 * An event is recorded when the task that runs on the CPU is one of the session's (kernel/trace/trace_events.c,
 * trace_event_ignore_this_pid(), 5.15 to 6.18). Exceptions: sched_switch when only one of the two tasks is, and
 * the wake-up events also when only the one that is woken is. Not in the list, because they name other tasks:
 * sched_switch, sched_wakeup, sched_waking, sched_migrate_task, sched_process_free, sched_stat_* (update_curr()
 * also runs for another CPU's task), sched_pi_setprio, signal_generate.
 */
static const struct {
        const char *system, *name; /* fnmatch(3) */
        const char *filter;        /* what is recorded of it only; NULL: all */
} safe_events[] = {
        /* Arguments and results are what the task passes and gets, pointers those of its own memory. */
        { "raw_syscalls", "sys_enter", NULL },
        { "raw_syscalls", "sys_exit", NULL },
        { "syscalls", "sys_enter_*", NULL },
        { "syscalls", "sys_exit_*", NULL },
        /* The task itself, the file that it executes, and its child, which is in the session, too. */
        { "sched", "sched_process_exec", NULL },
        { "sched", "sched_process_exit", NULL },
        { "sched", "sched_process_fork", NULL },
        /* Number, code and the program's handler; not who sent it. */
        { "signal", "signal_deliver", NULL },
        /* For an address of the kernel's half, which no program can use, error_code would tell whether something
         * is there: do_user_addr_fault() hides that from the program only later (sanitize_error_code()). */
        { "exceptions", "page_fault_user", "address < 0x8000000000000000" },
};

int safe_events_check_pattern(const char *pattern, Error *error) {
        if (*pattern == '!')
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" begins with '!'", TEXT_ESCAPE(pattern));
        return event_pattern_check(pattern, error);
}

static bool pattern_matches(const char *pattern, const EventChoice *choice) {
        const char *colon = strchr(pattern, ':');
        CLEANUP_FREE char *system = strndup(pattern, colon ? (size_t) (colon - pattern) : strlen(pattern));

        return system && fnmatch(system, choice->system, FNM_NOESCAPE) == 0 &&
               (!colon || fnmatch(colon + 1, choice->name, FNM_NOESCAPE) == 0);
}

static int add_filter(EventChoice *choice, const char *filter) {
        char *both;

        if (!choice->filter)
                both = strdup(filter);
        else if (asprintf(&both, "(%s)&&(%s)", filter, choice->filter) < 0)
                both = NULL;
        if (!both)
                return -ENOMEM;
        free(choice->filter);
        choice->filter = both;
        return 0;
}

static int restrict_choice(EventChoice *choice, char *const *more, Error *error) {
        for (; more && *more; more++)
                if (pattern_matches(*more, choice))
                        return 0;
        for (size_t i = 0; i < ELEMENTSOF(safe_events); i++) {
                if (fnmatch(safe_events[i].system, choice->system, 0) != 0 ||
                    fnmatch(safe_events[i].name, choice->name, 0) != 0)
                        continue;
                if (safe_events[i].filter && add_filter(choice, safe_events[i].filter) < 0)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
                return 0;
        }
        return error_set(error, ERROR_OUT_OF_SCOPE,
                         "events: %s:%s can tell about processes of others, so that it is not in scope \"self\"; "
                         "scope \"system\" takes it, with the action org.ktraced1.trace-system",
                         choice->system, choice->name);
}

int safe_events_restrict(EventSelection *selection, char *const *more, Error *error) {
        for (size_t i = 0; i < selection->n_choices; i++) {
                int r = restrict_choice(selection->choices + i, more, error);

                if (r < 0)
                        return r;
        }
        return 0;
}
