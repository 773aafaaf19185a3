/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/async-close.h"
#include "core/spec-private.h"

bool spec_is_given(const Spec *spec, SpecKey key) {
        return spec->given & (UINT64_C(1) << key);
}

int spec_new(Spec **ret) {
        Spec *spec = calloc(1, sizeof(*spec));

        if (!spec)
                return -ENOMEM;
        spec->output = -1;
        *ret = spec;
        return 0;
}

static void fds_clear(SpecFds *fds) {
        if (fds->n_fds > 0)
                async_close(fds->fds, fds->n_fds);
        free(fds->fds);
        *fds = (SpecFds){ 0 };
}

void spec_free(Spec *spec) {
        if (!spec)
                return;
        for (unsigned key = 0; key < _SPEC_KEY_MAX; key++) {
                const SpecKeyInfo *info = spec_key_table + key;

                if (info->set == spec_set_string)
                        free(*spec_string_at(spec, info));
                else if (info->set == spec_set_strings)
                        strv_free(*spec_strings_at(spec, info));
                else if (info->set == spec_set_fds)
                        fds_clear(spec_fds_at(spec, info));
        }
        for (size_t i = 0; i < spec->n_filters; i++) {
                free(spec->filters[i].pattern);
                free(spec->filters[i].expression);
        }
        free(spec->filters);
        free(spec->pids);
        cpu_list_clear(&spec->cpus);
        if (spec->output >= 0)
                async_close(&spec->output, 1);
        free(spec);
}

SpecFilter *spec_find_filter(const Spec *spec, const char *pattern) {
        for (size_t i = 0; i < spec->n_filters; i++)
                if (strcmp(spec->filters[i].pattern, pattern) == 0)
                        return spec->filters + i;
        return NULL;
}

int spec_add_filter(Spec *spec, const char *pattern, const char *expression) {
        SpecFilter *grown = reallocarray(spec->filters, spec->n_filters + 1, sizeof(*grown));
        CLEANUP_FREE char *own_pattern = strdup(pattern), *own_expression = strdup(expression);

        if (grown)
                spec->filters = grown;
        if (!grown || !own_pattern || !own_expression)
                return -ENOMEM;
        grown[spec->n_filters++] = (SpecFilter){
                .pattern = STEAL_PTR(own_pattern),
                .expression = STEAL_PTR(own_expression),
        };
        return 0;
}

int spec_fds_append(SpecFds *to, const int *fds, size_t n) {
        int *grown = reallocarray(to->fds, to->n_fds + n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        to->fds = grown;
        for (size_t i = 0; i < n; i++) {
                int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

                if (copy < 0)
                        return -errno;
                to->fds[to->n_fds++] = copy;
        }
        return 0;
}

static int append_strings(char ***to, char *const *from) {
        int r = 0;

        for (; r == 0 && from && *from; from++)
                r = strv_append(to, *from);
        return r;
}

static int replace_string(char **to, const char *from) {
        char *copy;

        if (!from)
                return 0;
        copy = strdup(from);
        if (!copy)
                return -ENOMEM;
        free(*to);
        *to = copy;
        return 0;
}

static int append_pids(Spec *to, const Spec *from) {
        pid_t *grown = reallocarray(to->pids, to->n_pids + from->n_pids + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        to->pids = grown;
        if (from->n_pids > 0)
                memcpy(grown + to->n_pids, from->pids, from->n_pids * sizeof(*grown));
        to->n_pids += from->n_pids;
        return 0;
}

static int replace_filters(Spec *to, const Spec *from) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < from->n_filters; i++) {
                SpecFilter *filter = spec_find_filter(to, from->filters[i].pattern);

                r = filter ? replace_string(&filter->expression, from->filters[i].expression)
                           : spec_add_filter(to, from->filters[i].pattern, from->filters[i].expression);
        }
        return r;
}

static int replace_cpus(Spec *to, const Spec *from) {
        CpuList copy = { 0 };
        int r;

        if (from->cpus.n_cpus == 0)
                return 0;
        r = cpu_list_copy(&from->cpus, &copy);
        if (r < 0)
                return r;
        cpu_list_clear(&to->cpus);
        to->cpus = copy;
        return 0;
}

static int replace_output(Spec *to, const Spec *from) {
        int copy;

        if (from->output < 0)
                return 0;
        copy = fcntl(from->output, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        if (to->output >= 0)
                (void) close(to->output);
        to->output = copy;
        return 0;
}

/* What one key of `from` adds to `to`. Numbers and booleans can be there without having been given, since
 * defaults are filled in: `keys` has the bits of those that count. */
static int lay_key_over(Spec *to, const Spec *from, SpecKey key, uint64_t keys) {
        const SpecKeyInfo *info = spec_key_table + key;
        Spec *source = (Spec *) from; /* only read */

        if (info->set == spec_set_string)
                return replace_string(spec_string_at(to, info), *spec_string_at(source, info));
        if (info->set == spec_set_strings)
                return append_strings(spec_strings_at(to, info), *spec_strings_at(source, info));
        if (info->set == spec_set_fds)
                return spec_fds_append(spec_fds_at(to, info), spec_fds_at(source, info)->fds,
                                       spec_fds_at(source, info)->n_fds);
        if (!(keys & (UINT64_C(1) << key)))
                return 0;
        if (info->set == spec_set_boolean)
                *spec_boolean_at(to, info) = *spec_boolean_at(source, info);
        else if (info->set == spec_set_number)
                *spec_number_at(to, info) = *spec_number_at(source, info);
        return 0;
}

static int lay_over(Spec *to, const Spec *from, uint64_t keys) {
        int r = 0;

        for (unsigned key = 0; r == 0 && key < _SPEC_KEY_MAX; key++)
                r = lay_key_over(to, from, (SpecKey) key, keys);
        if (r == 0)
                r = replace_filters(to, from);
        if (r == 0)
                r = append_pids(to, from);
        if (r == 0)
                r = replace_cpus(to, from);
        if (r == 0)
                r = replace_output(to, from);
        if (r < 0)
                return r;
        to->given |= from->given;
        return 0;
}

int spec_copy(const Spec *spec, Spec **ret) {
        CLEANUP(spec_freep) Spec *copy = NULL;
        int r = spec_new(&copy);

        if (r == 0)
                r = lay_over(copy, spec, UINT64_MAX);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(copy);
        return 0;
}

int spec_merge(const Spec *base, const Spec *over, Spec **ret) {
        CLEANUP(spec_freep) Spec *merged = NULL;
        int r = spec_copy(base, &merged);

        if (r == 0)
                r = lay_over(merged, over, over->given);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(merged);
        return 0;
}
