/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PolkitAgent: pkttyagent(1) as a child, which asks for passwords on the terminal for this process when polkit
 * wants one and no other agent is there.
 *
 * Life cycle: POLKIT_AGENT_NONE; polkit_agent_start() the first time a call may need it; polkit_agent_stop().
 */

#include <stdbool.h>
#include <sys/types.h>

typedef struct PolkitAgent {
        bool tried;
        pid_t pid; /* 0: none */
} PolkitAgent;

#define POLKIT_AGENT_NONE ((PolkitAgent){ .pid = 0 })

/* Does nothing for root, without a terminal, without the program, or the second time. Returns once the agent
 * has registered with polkit. */
void polkit_agent_start(PolkitAgent *agent);
void polkit_agent_stop(PolkitAgent *agent);
