/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Pager: less(1), or what $SYSTEMD_PAGER or $PAGER names, between standard output and the terminal, with the
 * options of $SYSTEMD_LESS, as systemctl has it.
 *
 * Life cycle: PAGER_NONE; pager_open() before the first output; pager_close() at the end, which waits until
 * the user has left it. CLEANUP(pager_close) does.
 */

#include <sys/types.h>

#include "client/options.h"

typedef struct Pager {
        pid_t pid; /* 0: none */
} Pager;

#define PAGER_NONE ((Pager){ .pid = 0 })

/* Does nothing unless standard output is a terminal and the user wants a pager. Under sudo, only less in its
 * secure mode is used unless $SYSTEMD_PAGERSECURE says otherwise, since a pager can run commands. */
void pager_open(Pager *pager, const Globals *globals);
void pager_close(Pager *pager);
