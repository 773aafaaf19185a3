/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/elf-symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/suggestion.h"
#include "core/text.h"
#include "ktraced/cleanup.h"

#define DEBUG_DIRECTORY "/usr/lib/debug"

static void elf_endp(Elf **elf) {
        if (*elf)
                (void) elf_end(*elf);
}

/* How well a symbol fits. */
typedef enum Rank {
        RANK_NONE,
        RANK_OLD,     /* a version that only programs linked long ago use */
        RANK_DEFAULT, /* what a program linked today gets, or without versions */
        RANK_EXACT,   /* of the version that was asked for */
} Rank;

/* What is looked for, and what was seen. */
typedef struct Search {
        const char *symbol;
        size_t length;       /* of the name without a version */
        const char *version; /* NULL: none is asked for */
        Rank rank;
        GElf_Sym sym;
        bool has_symbols; /* any table at all */
        Suggestion suggestion;
} Search;

/* What .dynsym says of versions in sections of its own (System V ABI, "Symbol Versioning" in the LSB). */
typedef struct Versions {
        Elf_Data *indices, *definitions;
        size_t strings, n_definitions;
} Versions;

static bool name_fits(const Search *search, const char *name) {
        /* .symtab has versions behind '@', .dynsym keeps them elsewhere. */
        return strcspn(name, "@") == search->length && strncmp(name, search->symbol, search->length) == 0;
}

static bool is_function(const GElf_Sym *sym) {
        unsigned type = GELF_ST_TYPE(sym->st_info);

        return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

static void find_versions(Elf *elf, Versions *ret) {
        for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
                GElf_Shdr header;

                if (!gelf_getshdr(section, &header))
                        continue;
                if (header.sh_type == SHT_GNU_versym)
                        ret->indices = elf_getdata(section, NULL);
                if (header.sh_type == SHT_GNU_verdef) {
                        ret->definitions = elf_getdata(section, NULL);
                        ret->strings = header.sh_link;
                        ret->n_definitions = header.sh_info;
                }
        }
}

static const char *version_name(Elf *elf, const Versions *versions, unsigned index) {
        size_t offset = 0;

        for (size_t i = 0; versions->definitions && i < versions->n_definitions && offset <= INT_MAX; i++) {
                GElf_Verdaux name;
                GElf_Verdef definition;

                if (!gelf_getverdef(versions->definitions, (int) offset, &definition))
                        return NULL;
                if (definition.vd_ndx == index && offset + definition.vd_aux <= INT_MAX)
                        return gelf_getverdaux(versions->definitions, (int) (offset + definition.vd_aux), &name)
                                       ? elf_strptr(elf, versions->strings, name.vda_name)
                                       : NULL;
                if (definition.vd_next == 0)
                        return NULL;
                offset += definition.vd_next;
        }
        return NULL;
}

/* `version`: of the symbol, NULL when it has none. */
static Rank rank(const Search *search, const char *version, bool is_old) {
        if (!search->version)
                return is_old ? RANK_OLD : RANK_DEFAULT;
        return version && strcmp(version, search->version) == 0 ? RANK_EXACT : RANK_NONE;
}

static Rank rank_symbol(const Search *search, Elf *elf, const Versions *versions, size_t i, const char *name) {
        const char *version = strchr(name, '@');
        GElf_Versym index;

        if (version)
                return rank(search, version + strspn(version, "@"), version[1] != '@');
        if (!versions->indices || !gelf_getversym(versions->indices, (int) i, &index))
                return rank(search, NULL, false);
        /* The highest bit hides it from those who link. */
        return rank(search, version_name(elf, versions, index & 0x7fffU), (index & 0x8000U) != 0);
}

static void search_table(Search *search, Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                         const Versions *versions) {
        Elf_Data *data = elf_getdata(section, NULL);

        for (size_t i = 0; data && header->sh_entsize > 0 && i < header->sh_size / header->sh_entsize; i++) {
                const char *name;
                GElf_Sym sym;
                Rank found;

                if (!gelf_getsym(data, (int) i, &sym) || sym.st_shndx == SHN_UNDEF || !is_function(&sym))
                        continue;
                name = elf_strptr(elf, header->sh_link, sym.st_name);
                if (!name || *name == '\0')
                        continue;
                search->has_symbols = true;
                suggestion_consider(&search->suggestion, name);
                found = name_fits(search, name) ? rank_symbol(search, elf, versions, i, name) : RANK_NONE;
                if (found > search->rank) {
                        search->rank = found;
                        search->sym = sym;
                }
        }
}

static void search_file(Search *search, Elf *elf) {
        static const Versions none = { 0 };
        Versions versions = { 0 };

        find_versions(elf, &versions);
        for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
                GElf_Shdr header;

                if (gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
                        search_table(search, elf, section, &header, header.sh_type == SHT_DYNSYM ? &versions : &none);
        }
}

static void search_path(Search *search, const char *path) {
        CLEANUP(elf_endp) Elf *elf = NULL;
        CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

        elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
        if (elf && elf_kind(elf) == ELF_K_ELF)
                search_file(search, elf);
}

static Elf_Scn *find_section(Elf *elf, const char *wanted, GElf_Shdr *header) {
        size_t names;

        if (elf_getshdrstrndx(elf, &names) < 0)
                return NULL;
        for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
                const char *name = gelf_getshdr(section, header) ? elf_strptr(elf, names, header->sh_name) : NULL;

                if (name && strcmp(name, wanted) == 0)
                        return section;
        }
        return NULL;
}

/* By the note's bytes: /usr/lib/debug/.build-id/ab/cdef....debug */
static void search_by_build_id(Search *search, Elf *elf) {
        GElf_Shdr header;
        Elf_Scn *section = find_section(elf, ".note.gnu.build-id", &header);
        Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
        size_t name_offset, id_offset;
        char path[PATH_MAX];
        GElf_Nhdr note;
        int length;

        if (!data || gelf_getnote(data, 0, &note, &name_offset, &id_offset) == 0 || note.n_descsz < 2 ||
            note.n_descsz > 64)
                return;
        length = snprintf(path, sizeof(path), DEBUG_DIRECTORY "/.build-id/");
        for (size_t i = 0; i < note.n_descsz; i++)
                length += snprintf(path + length, sizeof(path) - (size_t) length, i == 0 ? "%02x/" : "%02x",
                                   ((const unsigned char *) data->d_buf)[id_offset + i]);
        (void) snprintf(path + length, sizeof(path) - (size_t) length, ".debug");
        search_path(search, path);
}

static void search_by_link(Search *search, Elf *elf, const char *of) {
        GElf_Shdr header;
        Elf_Scn *section = find_section(elf, ".gnu_debuglink", &header);
        Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
        CLEANUP_FREE char *real = realpath(of, NULL);
        const char *name = data ? data->d_buf : NULL, *slash = real ? strrchr(real, '/') : NULL;
        /* gdb's order: beside the file, in .debug beside it, below the directory of all such files. */
        static const struct {
                const char *before, *between;
        } places[] = { { "", "/" }, { "", "/.debug/" }, { DEBUG_DIRECTORY, "/" } };

        if (!name || !slash || !memchr(name, '\0', data->d_size) || strchr(name, '/'))
                return;
        for (size_t i = 0; i < ELEMENTSOF(places) && search->rank == RANK_NONE; i++) {
                char path[PATH_MAX];
                int n;

                n = snprintf(path, sizeof(path), "%s%.*s%s%s", places[i].before, (int) (slash - real), real,
                             places[i].between, name);
                if (n > 0 && (size_t) n < sizeof(path))
                        search_path(search, path);
        }
}

/* Addresses are virtual, also in PIE and libraries (from 0): a loaded segment says where in the file they are. */
static int to_offset(Elf *elf, uint64_t address, uint64_t *ret) {
        size_t n;

        if (elf_getphdrnum(elf, &n) < 0)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                GElf_Phdr segment;

                if (!gelf_getphdr(elf, (int) i, &segment) || segment.p_type != PT_LOAD || !(segment.p_flags & PF_X) ||
                    address < segment.p_vaddr || address >= segment.p_vaddr + segment.p_filesz)
                        continue;
                *ret = address - segment.p_vaddr + segment.p_offset;
                return 0;
        }
        return -EINVAL;
}

static bool is_code(Elf *elf, uint64_t offset) {
        size_t n;

        if (elf_getphdrnum(elf, &n) < 0)
                return false;
        for (size_t i = 0; i < n; i++) {
                GElf_Phdr segment;

                if (gelf_getphdr(elf, (int) i, &segment) && segment.p_type == PT_LOAD && (segment.p_flags & PF_X) &&
                    offset >= segment.p_offset && offset - segment.p_offset < segment.p_filesz)
                        return true;
        }
        return false;
}

static int not_found(const Search *search, const char *path, Error *error) {
        const char *near = suggestion_best(&search->suggestion);

        if (!search->has_symbols)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "%s is stripped: it has no symbols, nor is there a file with them; give an offset "
                                 "instead of \"%s\"",
                                 path, TEXT_ESCAPE(search->symbol));
        if (near)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s has no function \"%s\"; did you mean \"%s\"?",
                                 path, TEXT_ESCAPE(search->symbol), near);
        return error_set(error, ERROR_INVALID_ARGUMENT, "%s has no function \"%s\"", path,
                         TEXT_ESCAPE(search->symbol));
}

static int open_elf(int fd, const char *path, Error *error, Elf **ret) {
        Elf *elf;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return error_set(error, ERROR_FAILED, "libelf is too old");
        elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
        if (!elf || elf_kind(elf) != ELF_K_ELF) {
                elf_endp(&elf);
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s is no ELF program or library", path);
        }
        *ret = elf;
        return 0;
}

int elf_symbol_check_code(int fd, const char *path, uint64_t offset, Error *error) {
        CLEANUP(elf_endp) Elf *elf = NULL;
        int r = open_elf(fd, path, error, &elf);

        if (r < 0 || is_code(elf, offset))
                return r;
        return error_set(error, ERROR_INVALID_ARGUMENT, "Offset 0x%llx is in no part of %s that can be executed",
                         (unsigned long long) offset, path);
}

int elf_symbol_find(int fd, const char *path, const char *symbol, Error *error, uint64_t *ret_offset) {
        CLEANUP(elf_endp) Elf *elf = NULL;
        Search search = { .symbol = symbol, .length = strcspn(symbol, "@") };
        int r;

        if (symbol[search.length] == '@')
                search.version = symbol + search.length + strspn(symbol + search.length, "@");
        suggestion_init(&search.suggestion, symbol);
        r = open_elf(fd, path, error, &elf);
        if (r < 0)
                return r;
        search_file(&search, elf);
        if (search.rank == RANK_NONE)
                search_by_build_id(&search, elf);
        if (search.rank == RANK_NONE)
                search_by_link(&search, elf, path);
        if (search.rank == RANK_NONE)
                return not_found(&search, path, error);
        if (GELF_ST_TYPE(search.sym.st_info) == STT_GNU_IFUNC)
                return error_set(
                        error, ERROR_INVALID_ARGUMENT,
                        "\"%s\" in %s stands for several functions, one of which is chosen when a program starts; "
                        "name one of those",
                        TEXT_ESCAPE(symbol), path);
        if (to_offset(elf, search.sym.st_value, ret_offset) < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is in no part of %s that can be executed",
                                 TEXT_ESCAPE(symbol), path);
        return 0;
}
