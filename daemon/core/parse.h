/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Numbers as people write them, and back. Pure functions; every parser accepts exactly one value with
 * nothing around it and returns -EINVAL for a wrong form, -ERANGE for one that does not fit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes: "4096", "64K", "4M", "1G", "2T" (powers of 1024; an optional "B" or "iB" may follow). */
int parse_size(const char *text, uint64_t *ret_bytes);

/* Time as systemd.time(7) writes spans: "10s", "5min 20s", "1h", "250ms", "2us"; a bare number is
 * seconds. */
int parse_span(const char *text, uint64_t *ret_usec);

/* A part of a whole in percent, "5%", "2.5%" or "5", as permille: at most 100%, and no finer than a tenth. */
int parse_percent(const char *text, uint64_t *ret_permille);

int parse_unsigned(const char *text, uint64_t *ret);
int parse_boolean(const char *text, bool *ret);

/* "1.2M", "17B": at most 3 digits before the point. Returns `buffer`. */
char *format_size(uint64_t bytes, char *buffer, size_t size);
/* "16.04": how many times `part` is in `whole`, cut off after two digits; "1.00" for a part of 0. With a point in
 * every locale. Returns `buffer`. */
char *format_ratio(uint64_t part, uint64_t whole, char *buffer, size_t size);
/* "1min 30s", "250ms". Returns `buffer`. */
char *format_span(uint64_t usec, char *buffer, size_t size);

/* Names of sessions: 1 to 64 characters of [A-Za-z0-9._@-], not starting with '.' or '-'. */
bool name_is_valid(const char *name);
/* Identifiers that the daemon made: lower-case hexadecimal digits, 'T' and '-', 1 to 64 characters. */
bool id_is_valid(const char *id);
/* Names of trace clocks: 1 to 32 characters of [a-z0-9_-]. Whether the kernel has it is not asked. */
bool clock_is_valid(const char *clock);
/* Names of tracers: the same characters. */
bool tracer_is_valid(const char *tracer);
/* Names of systemd units (systemd.unit(5)): a name of [A-Za-z0-9:_.\@-], a dot and the type of a unit that has
 * processes: service, scope or slice; 255 characters at most. */
bool unit_is_valid(const char *unit);
/* The same for units of any type. */
bool unit_name_is_valid(const char *unit);
