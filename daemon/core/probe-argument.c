/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/probe-argument.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/strv.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define SYMBOL_CHARACTERS NAME_CHARACTERS ".$"
/* Each level is a dereference; the kernel's limit is its stack of instructions (FETCH_INSN_MAX is 16). */
#define NESTING_MAX 14U
/* Of an array (MAX_ARRAY_LEN, kernel/trace/trace_probe.h). */
#define ARRAY_MAX 64U

int probe_text_wrong(const ProbeText *text, const char *why) {
        return error_set_at(text->error, text->start, text->at, "%s", why);
}

int probe_text_number(ProbeText *text, uint64_t *ret) {
        unsigned long long number;
        char *end;

        if (!isdigit((unsigned char) *text->at))
                return -EINVAL;
        errno = 0;
        number = strtoull(text->at, &end, text->at[0] == '0' && (text->at[1] == 'x' || text->at[1] == 'X') ? 16 : 10);
        if (errno != 0)
                return -EINVAL;
        text->at = end;
        *ret = number;
        return 0;
}

static bool is_register(const char *name, size_t length) {
#if defined(__x86_64__)
        /* regs_query_register_offset(), arch/x86/kernel/ptrace.c */
        static const char *const registers[] = {
                "r15", "r14", "r13", "r12", "bp",      "bx", "r11", "r10",   "r9", "r8", "ax",
                "cx",  "dx",  "si",  "di",  "orig_ax", "ip", "cs",  "flags", "sp", "ss",
        };

        for (size_t i = 0; i < ELEMENTSOF(registers); i++)
                if (strlen(registers[i]) == length && strncmp(registers[i], name, length) == 0)
                        return true;
        return false;
#elif defined(__aarch64__)
        /* arch/arm64/kernel/ptrace.c: x0 to x30, lr, sp, pc, pstate */
        static const char *const registers[] = { "lr", "sp", "pc", "pstate" };

        for (size_t i = 0; i < ELEMENTSOF(registers); i++)
                if (strlen(registers[i]) == length && strncmp(registers[i], name, length) == 0)
                        return true;
        return name[0] == 'x' && (length == 2 || (length == 3 && name[1] != '0')) &&
               strspn(name + 1, "0123456789") >= length - 1 && strtoul(name + 1, NULL, 10) <= 30;
#else
        /* The kernel knows. */
        return length > 0;
#endif
}

static int parse_register(ProbeText *text) {
        size_t length = strspn(text->at + 1, NAME_CHARACTERS);

        if (!is_register(text->at + 1, length))
                return probe_text_wrong(text, "There is no such register");
        text->at += length + 1;
        return 0;
}

static bool is_return(ProbeKind kind) {
        return kind == PROBE_KRETPROBE || kind == PROBE_URETPROBE;
}

static bool is_numbered(const char *name, size_t length, const char *prefix) {
        size_t n = strlen(prefix);

        return length > n && strncmp(name, prefix, n) == 0 && strspn(name + n, "0123456789") >= length - n;
}

/* "->FIELD" and ".FIELD", as often as there are, of what has a type in BTF. */
static int parse_fields(ProbeText *text) {
        while (*text->at == '.' || (text->at[0] == '-' && text->at[1] == '>')) {
                size_t length;

                text->by_name = true;
                text->at += *text->at == '.' ? 1 : 2;
                length = strspn(text->at, NAME_CHARACTERS);
                if (length == 0)
                        return probe_text_wrong(text, "The name of a field is missing");
                text->at += length;
        }
        return 0;
}

static bool is_of_kernel(ProbeKind kind) {
        return kind == PROBE_KPROBE || kind == PROBE_KRETPROBE;
}

static int parse_variable(ProbeText *text, ProbeKind kind) {
        const char *name = text->at + 1;
        size_t length = strspn(name, NAME_CHARACTERS);

        if (is_of_kernel(kind) && length == 3 && strncmp(name, "arg*", 4) == 0) {
                text->by_name = true;
                text->at += 5;
                return 0;
        }

        if (length == 0)
                return probe_text_wrong(text, "A name is missing behind '$'");
        if (length == 6 && strncmp(name, "retval", length) == 0) {
                if (!is_return(kind))
                        return probe_text_wrong(text, "$retval is for return probes only");
        } else if (kind != PROBE_EVENT && !(length == 4 && strncmp(name, "comm", length) == 0) &&
                   !(length == 5 && strncmp(name, "stack", length) == 0) && !is_numbered(name, length, "stack") &&
                   !is_numbered(name, length, "arg"))
                return probe_text_wrong(text, "There are $retval, $comm, $stack, $stackN, $argN and $arg*");
        text->at += length + 1;
        return is_of_kernel(kind) ? parse_fields(text) : 0;
}

/* "@SYMBOL[+|-OFFSET]", "@ADDRESS", "@+OFFSET" */
static int parse_address(ProbeText *text, ProbeKind kind) {
        bool is_user = kind == PROBE_UPROBE || kind == PROBE_URETPROBE;
        uint64_t number;

        text->at++;
        if (*text->at == '+') {
                if (!is_user)
                        return probe_text_wrong(text, "@+OFFSET is for uprobes only");
                text->at++;
                return probe_text_number(text, &number) < 0 ? probe_text_wrong(text, "An offset is missing") : 0;
        }
        if (probe_text_number(text, &number) >= 0)
                return 0;
        if (is_user)
                return probe_text_wrong(text, "An address, or + and an offset in the file, is missing");
        if (strspn(text->at, SYMBOL_CHARACTERS) == 0)
                return probe_text_wrong(text, "A symbol or an address is missing");
        text->at += strspn(text->at, SYMBOL_CHARACTERS);
        if (*text->at == '+' || *text->at == '-') {
                text->at++;
                if (probe_text_number(text, &number) < 0)
                        return probe_text_wrong(text, "An offset is missing");
        }
        return 0;
}

/* "\NUMBER", "\"TEXT\"" */
static int parse_immediate(ProbeText *text) {
        uint64_t number;
        size_t length;

        text->at++;
        if (*text->at == '"') {
                /* '#' begins a comment of the kernel's (trace_parse_run_command()). */
                length = strcspn(text->at + 1, "\" #");
                if (text->at[length + 1] != '"')
                        return probe_text_wrong(text, "A text ends with '\"' and has no space and no '#'");
                text->at += length + 2;
                return 0;
        }
        if (*text->at == '-')
                text->at++;
        return probe_text_number(text, &number) < 0 ? probe_text_wrong(text, "A number or a text is missing") : 0;
}

static int parse_fetch(ProbeText *text, ProbeKind kind);

/* "+|-[u]OFFSET(FETCH)", as often as it is nested. */
static int parse_dereference(ProbeText *text, ProbeKind kind) {
        unsigned depth = 0;
        uint64_t offset;
        int r;

        while (*text->at == '+' || *text->at == '-') {
                if (++depth > NESTING_MAX)
                        return probe_text_wrong(text, "Nested too deeply");
                text->at++;
                if (*text->at == 'u')
                        text->at++;
                if (probe_text_number(text, &offset) < 0)
                        return probe_text_wrong(text, "An offset is missing");
                if (*text->at != '(')
                        return probe_text_wrong(text, "'(' and what to look at is missing");
                text->at++;
        }
        r = parse_fetch(text, kind);
        for (; r >= 0 && depth > 0; depth--) {
                if (*text->at != ')')
                        return probe_text_wrong(text, "')' is missing");
                text->at++;
        }
        return r;
}

/* An argument of the function by its name: a kernel with BTF knows it (6.5 and later). */
static int parse_by_name(ProbeText *text) {
        text->by_name = true;
        text->at += strspn(text->at, NAME_CHARACTERS);
        return parse_fields(text);
}

static int parse_fetch(ProbeText *text, ProbeKind kind) {
        switch (*text->at) {
        case '%':
                if (kind == PROBE_EVENT)
                        return probe_text_wrong(text, "A probe on an event has fields ($NAME), no registers");
                return parse_register(text);
        case '$':
                return parse_variable(text, kind);
        case '@':
                return parse_address(text, kind);
        case '\\':
                return parse_immediate(text);
        case '+':
        case '-':
                return parse_dereference(text, kind);
        default:
                if (is_of_kernel(kind) && (isalpha((unsigned char) *text->at) || *text->at == '_'))
                        return parse_by_name(text);
                return probe_text_wrong(text, "What to fetch begins with %, $, @, \\, + or -");
        }
}

/* "b<width>@<offset>/<size>" */
static bool is_bitfield(const char *type, size_t length) {
        unsigned width, offset, size;
        int end = -1;

        return type[0] == 'b' && sscanf(type, "b%2u@%2u/%2u%n", &width, &offset, &size, &end) == 3 &&
               end == (int) length && (size == 8 || size == 16 || size == 32 || size == 64) && width > 0 &&
               width + offset <= size;
}

static int parse_type(ProbeText *text) {
        static const char *const types[] = {
                "u8",  "u16", "u32",  "u64",    "s8",      "s16",    "s32",    "s64", "x8",  "x16",
                "x32", "x64", "char", "string", "ustring", "symbol", "symstr", "%pd", "%pD",
        };
        size_t length = strcspn(text->at, " [");
        bool known = is_bitfield(text->at, length);

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                known |= strlen(types[i]) == length && strncmp(types[i], text->at, length) == 0;
        if (!known)
                return probe_text_wrong(text,
                                        "There is no such type; there are u8 to u64, s8 to s64, x8 to x64, char, "
                                        "string, ustring, symbol, symstr, %pd, %pD and b<width>@<offset>/<size>");
        text->at += length;
        if (*text->at == '[') {
                uint64_t n = 0;

                text->at++;
                if (probe_text_number(text, &n) < 0 || n == 0 || n > ARRAY_MAX || *text->at != ']')
                        return probe_text_wrong(text, "An array has 1 to 64 entries");
                text->at++;
        }
        return 0;
}

int probe_argument_parse(ProbeText *text, ProbeKind kind) {
        size_t length = strspn(text->at, NAME_CHARACTERS);
        int r;

        if (length > 0 && text->at[length] == '=') {
                if (length > PROBE_NAME_LENGTH || isdigit((unsigned char) *text->at))
                        return probe_text_wrong(text, "The name of an argument begins with a letter and has at most "
                                                      "63 characters");
                text->at += length + 1;
        }
        r = parse_fetch(text, kind);
        if (r >= 0 && *text->at == ':') {
                text->at++;
                r = parse_type(text);
        }
        if (r >= 0 && *text->at != ' ' && *text->at != '\0')
                return probe_text_wrong(text, "A space and the next argument, or nothing, can follow here");
        return r;
}
