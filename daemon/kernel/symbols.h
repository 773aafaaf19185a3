/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Symbols: the kernel's symbol table, /proc/kallsyms, which names the addresses in a capture.
 *
 * The kernel shows the addresses to whom had CAP_SYSLOG when they opened the file (kallsyms_open() and
 * kallsyms_show_value(), kernel/kallsyms.c, 5.15 to 6.18; the sysctls kptr_restrict and perf_event_paranoid decide
 * with it). So that the daemon can do without that capability, its unit has the service manager open the file and
 * hand it in as standard input; without that, the file is opened here.
 */

#include <stdbool.h>
#include <stddef.h>

/* The whole text. Several may read at once: they wait for each other, since the kernel walks the table from its
 * start again whenever the position of a read is not that of the one before. */
int symbols_read(char **ret, size_t *ret_size);

/* The letter that nm(1) has for the kind of a symbol, of the first of that name. -ENOENT: there is none. */
int symbols_find(const char *name, char *ret_type);

/* Whether the addresses are shown, and not all zero. -ENOENT: the kernel has no such file. */
int symbols_are_shown(bool *ret);
