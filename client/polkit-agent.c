/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/polkit-agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "client/exec-child.h"
#include "ktraced/cleanup.h"

/* As a fallback the agent leaves the asking to that of a graphical session. polkit (122) takes no account of a
 * fallback for a process that is in no login session, but there it is the only one anyway. */
static bool is_in_session(void) {
        CLEANUP_FREE char *session = NULL;

        return sd_pid_get_session(0, &session) >= 0;
}

static int become_agent(int notify_fd) {
        char number[sizeof(int) * 3 + 1];
        char *fallback = is_in_session() ? (char *) "--fallback" : NULL;
        char *argv[] = { (char *) "pkttyagent", (char *) "--notify-fd", number, fallback, NULL };

        (void) snprintf(number, sizeof(number), "%d", notify_fd);
        /* Should this process be killed, the agent must not keep the terminal. */
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || fcntl(notify_fd, F_SETFD, 0) < 0)
                return -errno;
        execvp(argv[0], argv);
        return -errno;
}

void polkit_agent_start(PolkitAgent *agent) {
        CLEANUP_CLOSE int reader = -1, writer = -1;
        struct pollfd poll_fd;
        ExecChild child;
        int ends[2], r;

        if (agent->tried)
                return;
        agent->tried = true;
        if (geteuid() == 0 || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
                return;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        reader = ends[0];
        writer = ends[1];
        r = exec_child_fork(&child);
        if (r < 0)
                return;
        if (r == 0)
                exec_child_report(&child, become_agent(writer));
        if (exec_child_confirm(&child) < 0)
                return;
        agent->pid = child.pid;

        /* The agent closes its end once polkit knows it. */
        closep(&writer);
        writer = -1;
        poll_fd = (struct pollfd){ .fd = reader, .events = POLLHUP };
        while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
                ;
}

void polkit_agent_stop(PolkitAgent *agent) {
        if (agent->pid <= 0)
                return;
        /* It restores the terminal's settings on SIGTERM; SIGCONT in case it was stopped. */
        (void) kill(agent->pid, SIGTERM);
        (void) kill(agent->pid, SIGCONT);
        (void) exec_child_wait(agent->pid);
        agent->pid = 0;
}
