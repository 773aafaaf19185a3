/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CommMap: pid -> command name, gathered while a session runs, since the kernel's own table
 * (saved_cmdlines) is small and forgets.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ktraced/cleanup.h"

typedef struct CommMap CommMap;

/* The next line "pid comm" of saved_cmdlines, which *text is moved behind; lines of another form are passed over. The
 * name is within the text and has no NUL. False: there is none. */
bool comm_line_next(const char **text, pid_t *ret_pid, const char **ret_comm, size_t *ret_length);

int comm_map_new(CommMap **ret);
void comm_map_free(CommMap *map);
DEFINE_POINTER_CLEANUP(CommMap, comm_map_free);
/* Adds all lines. A later name replaces an earlier one. At most COMM_MAP_MAX entries are kept; more is -ENOSPC. */
#define COMM_MAP_MAX 65536U
int comm_map_add_text(CommMap *map, const char *text);
/* The same; *ret_changed are those lines that were new, or had another name than before. The caller frees it. */
int comm_map_update(CommMap *map, const char *text, char **ret_changed);
size_t comm_map_size(const CommMap *map);
/* The form of saved_cmdlines, by pid. */
int comm_map_format(const CommMap *map, char **ret);
