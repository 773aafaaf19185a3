/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ktraced/cleanup.h"

#define USEC 1ULL
#define MSEC (1000 * USEC)
#define SEC (1000 * MSEC)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Reads digits; *text is moved behind them. */
static int read_digits(const char **text, uint64_t *ret) {
        char *end;
        unsigned long long value;

        if (!is_digit(**text))
                return -EINVAL;
        errno = 0;
        value = strtoull(*text, &end, 10);
        if (errno == ERANGE)
                return -ERANGE;
        *text = end;
        *ret = value;
        return 0;
}

int parse_unsigned(const char *text, uint64_t *ret) {
        uint64_t value;
        int r = read_digits(&text, &value);

        if (r < 0)
                return r;
        if (*text != '\0')
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes) {
        static const char units[] = "KMGTPE";
        uint64_t value;
        unsigned shift = 0;
        const char *unit;
        int r = read_digits(&text, &value);

        if (r < 0)
                return r;
        unit = *text != '\0' ? strchr(units, toupper((unsigned char) *text)) : NULL;
        if (unit) {
                shift = 10 * (unsigned) (unit - units + 1);
                text++;
                if (*text == 'i' && text[1] == 'B')
                        text++;
        }
        if (*text == 'B')
                text++;
        if (*text != '\0')
                return -EINVAL;
        if (value > UINT64_MAX >> shift)
                return -ERANGE;
        *ret_bytes = value << shift;
        return 0;
}

typedef struct SpanUnit {
        const char *name;
        uint64_t usec;
} SpanUnit;

static const SpanUnit span_units[] = {
        { "us", USEC },        { "usec", USEC }, { "\xc2\xb5s", USEC }, /* micro sign */
        { "\xce\xbcs", USEC },                                          /* Greek letter mu */
        { "ms", MSEC },        { "msec", MSEC }, { "s", SEC },          { "sec", SEC },       { "second", SEC },
        { "seconds", SEC },    { "m", MINUTE },  { "min", MINUTE },     { "minute", MINUTE }, { "minutes", MINUTE },
        { "h", HOUR },         { "hr", HOUR },   { "hour", HOUR },      { "hours", HOUR },    { "d", DAY },
        { "day", DAY },        { "days", DAY },  { "w", 7 * DAY },      { "week", 7 * DAY },  { "weeks", 7 * DAY },
};

/* Reads ".5" as millionths; digits beyond the sixth are dropped. */
static int read_fraction(const char **text, uint64_t *ret_millionths) {
        uint64_t millionths = 0, weight = 100000;
        const char *s = *text + 1;

        if (!is_digit(*s))
                return -EINVAL;
        for (; is_digit(*s); s++) {
                millionths += weight * (uint64_t) (*s - '0');
                weight /= 10;
        }
        *text = s;
        *ret_millionths = millionths;
        return 0;
}

/* Reads a unit; *text is moved behind it. No unit is seconds. */
static int read_unit(const char **text, uint64_t *ret_usec) {
        size_t length = strcspn(*text, " 0123456789.");

        if (length == 0) {
                *ret_usec = SEC;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(span_units); i++)
                if (strlen(span_units[i].name) == length && strncmp(*text, span_units[i].name, length) == 0) {
                        *text += length;
                        *ret_usec = span_units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

int parse_span(const char *text, uint64_t *ret_usec) {
        uint64_t sum = 0;

        do {
                uint64_t value, millionths = 0, unit, part;
                int r = read_digits(&text, &value);

                if (r < 0)
                        return r;
                if (*text == '.')
                        r = read_fraction(&text, &millionths);
                if (r < 0)
                        return r;
                if (*text == ' ' && isalpha((unsigned char) text[1]))
                        text++;
                r = read_unit(&text, &unit);
                if (r < 0)
                        return r;
                /* A week times a million stays far below 2^64. */
                if (__builtin_mul_overflow(value, unit, &part) ||
                    __builtin_add_overflow(part, millionths * unit / 1000000, &part) ||
                    __builtin_add_overflow(sum, part, &sum))
                        return -ERANGE;
                if (*text == ' ' && text[1] != '\0')
                        text++;
        } while (*text != '\0');
        *ret_usec = sum;
        return 0;
}

int parse_percent(const char *text, uint64_t *ret_permille) {
        uint64_t percent, tenths = 0;
        int r = read_digits(&text, &percent);

        if (r < 0)
                return r;
        if (*text == '.') {
                if (text[1] < '0' || text[1] > '9')
                        return -EINVAL;
                tenths = (uint64_t) (text[1] - '0');
                text += 2;
        }
        if (*text == '%')
                text++;
        if (*text != '\0')
                return -EINVAL;
        if (percent > 100 || percent * 10 + tenths > 1000)
                return -ERANGE;
        *ret_permille = percent * 10 + tenths;
        return 0;
}

int parse_boolean(const char *text, bool *ret) {
        static const char *const words[][2] = {
                { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" }, { "n", "y" }, { "f", "t" },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                for (int value = 0; value < 2; value++)
                        if (strcasecmp(text, words[i][value]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

char *format_size(uint64_t bytes, char *buffer, size_t size) {
        static const char units[] = "BKMGTPE";
        unsigned unit = 0;
        uint64_t one = 1, tenths;

        /* 1000 is where the next unit starts, not 1024: that keeps it to three digits. */
        while (bytes / one >= 1000 && unit + 2 < sizeof(units)) {
                one <<= 10;
                unit++;
        }
        tenths = bytes % one * 10 / one;
        if (bytes % one == 0)
                (void) snprintf(buffer, size, "%" PRIu64 "%c", bytes / one, units[unit]);
        else
                (void) snprintf(buffer, size, "%" PRIu64 ".%" PRIu64 "%c", bytes / one, tenths, units[unit]);
        return buffer;
}

char *format_ratio(uint64_t part, uint64_t whole, char *buffer, size_t size) {
        uint64_t times = part > 0 ? whole / part : 1;
        unsigned hundredths = part > 0 ? (unsigned) ((double) (whole % part) * 100 / (double) part) : 0;

        (void) snprintf(buffer, size, "%" PRIu64 ".%02u", times, hundredths < 100 ? hundredths : 99);
        return buffer;
}

char *format_span(uint64_t usec, char *buffer, size_t size) {
        static const SpanUnit parts[] = {
                { "d", DAY }, { "h", HOUR }, { "min", MINUTE }, { "s", SEC }, { "ms", MSEC }, { "us", USEC },
        };
        size_t at = 0;

        if (usec == 0)
                (void) snprintf(buffer, size, "0");
        for (size_t i = 0; i < ELEMENTSOF(parts) && usec > 0 && at < size; i++) {
                uint64_t n = usec / parts[i].usec;
                int written;

                if (n == 0)
                        continue;
                usec %= parts[i].usec;
                written = snprintf(buffer + at, size - at, "%s%" PRIu64 "%s", at > 0 ? " " : "", n, parts[i].name);
                at += written > 0 ? (size_t) written : 0;
        }
        return buffer;
}

static bool consists_of(const char *text, const char *characters, size_t max) {
        size_t length = strspn(text, characters);

        return length >= 1 && length <= max && text[length] == '\0';
}

bool name_is_valid(const char *name) {
        return consists_of(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-", 64) &&
               name[0] != '.' && name[0] != '-';
}

bool id_is_valid(const char *id) {
        return consists_of(id, "0123456789abcdefT-", 64);
}

bool clock_is_valid(const char *clock) {
        return consists_of(clock, "abcdefghijklmnopqrstuvwxyz0123456789_-", 32);
}

bool tracer_is_valid(const char *tracer) {
        return clock_is_valid(tracer);
}

static bool is_unit(const char *unit, const char *const *types, size_t n_types) {
        size_t length = strlen(unit);

        if (unit[0] == '.' ||
            !consists_of(unit, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.\\@-", 255))
                return false;
        for (size_t i = 0; i < n_types; i++) {
                size_t tail = strlen(types[i]);

                if (length > tail && strcmp(unit + length - tail, types[i]) == 0)
                        return true;
        }
        return false;
}

bool unit_is_valid(const char *unit) {
        static const char *const types[] = { ".service", ".scope", ".slice" };

        return is_unit(unit, types, ELEMENTSOF(types));
}

bool unit_name_is_valid(const char *unit) {
        static const char *const types[] = {
                ".service", ".socket", ".target", ".device", ".mount", ".automount",
                ".swap",    ".timer",  ".path",   ".slice",  ".scope",
        };

        return is_unit(unit, types, ELEMENTSOF(types));
}
