/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ProbeSet: the probes of one session, in the kernel, in a group of their own that is named after its instance, so
 * that two sessions can use the same names.
 *
 * Life cycle: probe_set_new() after instance_create(), with a working instance of that name; probe_set_enable() after
 * instance_configure(); once the instance is gone, which used them, probe_set_destroy(). probe_set_free()
 * leaves them in the kernel.
 */

#include "core/error.h"
#include "core/spec.h"
#include "kernel/instance.h"

/* The groups of all daemons begin with this; no list of events and no pattern has them. */
#define PROBE_GROUP_PREFIX "ktraced_"

typedef struct ProbeSet ProbeSet;

/* Whether the kernel has what the spec's probes need, and the files that are given are fit for them; changes nothing.
 * ERROR_NOT_SUPPORTED_BY_KERNEL, ERROR_BAD_DESCRIPTOR, ERROR_NO_SUCH_EVENT, ERROR_NO_SUCH_FUNCTION (of a module
 * that is not loaded). */
int probe_set_check(const Spec *spec, Error *error);

/* Defines the spec's probes; `name`: that of the instance without its prefix. What fails leaves none behind.
 * ERROR_KERNEL_REFUSED carries the kernel's error_log text; ERROR_NO_SUCH_FUNCTION names near ones. *ret is NULL for
 * a spec without probes. */
int probe_set_new(const char *name, const Spec *spec, Error *error, ProbeSet **ret);
void probe_set_free(ProbeSet *set);
DEFINE_POINTER_CLEANUP(ProbeSet, probe_set_free);

/* Checks and sets the filters that the spec has for them, and enables all in the instance. NULL: nothing. */
int probe_set_enable(const ProbeSet *set, Instance *instance, const Spec *spec, Error *error);

/* JSON text: "probes", an array with name, print_format and fields of each, as catalog_describe_event() has them.
 * The caller frees. */
int probe_set_describe(const ProbeSet *set, Error *error, char **ret);

/* What the files of the spec are called at the moment, for people to read: with control characters escaped. A strv,
 * NULL when there are none. */
int probe_set_read_files(const Spec *spec, char ***ret);

/* The system of their events. */
const char *probe_set_group(const ProbeSet *set);

/* Removes them from the kernel and frees the set, also on failure. -EBUSY while another tool uses one: the next
 * probe_set_new() tries again. NULL: nothing. */
int probe_set_destroy(ProbeSet *set);

/* Removes the probes with our prefix whose instance is gone: left behind by a daemon that was killed, or because
 * another tool used them. */
int probe_set_remove_stale(unsigned *ret_n_removed);
