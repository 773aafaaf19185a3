/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/graph.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/spec-options.h"
#include "core/strv.h"
#include "kernel/setting.h"
#include "ktraced/cleanup.h"

#define OPTION_PREFIX "funcgraph-"
#define NUMBER_SIZE 24

/* What changes the records, and not only how the kernel would print them, does not stay as somebody left it. */
static const struct {
        const char *option;
        bool on;
} defaults[] = {
        { "funcgraph-irqs", true },
        { "sleep-time", true },
        { "funcgraph-args", false },
        { "funcgraph-retaddr", false },
};

bool graph_is_wanted(const Spec *spec) {
        return spec->tracer && strcmp(spec->tracer, "function_graph") == 0;
}

bool graph_needs_tracing(const Spec *spec) {
        return graph_is_wanted(spec) && strv_length(spec->graph_functions) > 0;
}

static const char *option_name(const char *option) {
        return strncmp(option, "no", 2) == 0 ? option + 2 : option;
}

bool graph_has_option(const Spec *spec, const char *option) {
        const char *name = option_name(option);

        return graph_is_wanted(spec) && (strncmp(name, OPTION_PREFIX, strlen(OPTION_PREFIX)) == 0 ||
                                         strcmp(name, "sleep-time") == 0 || strcmp(name, "graph-time") == 0);
}

static int append_path(char ***files, const char *option) {
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "options/%s", option) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return strv_contains(*files, path) ? 0 : strv_append(files, path);
}

int graph_list_files(const Spec *spec, char ***ret) {
        static const char *const always[] = { "set_graph_function", "set_graph_notrace", "max_graph_depth",
                                              "tracing_thresh" };
        CLEANUP(strv_freep) char **files = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(always); i++)
                r = strv_append(&files, always[i]);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(defaults); i++)
                r = append_path(&files, defaults[i].option);
        for (char **option = spec->options; r >= 0 && option && *option; option++)
                if (graph_has_option(spec, *option))
                        r = append_path(&files, option_name(*option));
        if (r < 0)
                return r;
        *ret = STEAL_PTR(files);
        return 0;
}

static int write_sorted(FILE *stream, const char *what, char *const *words) {
        CLEANUP(strv_freep) char **sorted = NULL;
        int r = strv_copy(words, &sorted);

        if (r < 0)
                return r;
        strv_sort(sorted);
        for (char **word = sorted; word && *word; word++)
                (void) fprintf(stream, "%s %s\n", what, *word);
        return 0;
}

int graph_make_key(const Spec *spec, char **ret) {
        CLEANUP(strv_freep) char **options = NULL;
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size = 0;
        int r;

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        (void) fprintf(stream, "depth %" PRIu64 "\n", spec->graph_depth);
        r = write_sorted(stream, "function", spec->graph_functions);
        if (r >= 0)
                r = write_sorted(stream, "notrace", spec->graph_notrace);
        if (r >= 0)
                r = spec_options_effective(spec->options, &options);
        if (r < 0)
                return r;
        for (char **option = options; option && *option; option++)
                if (graph_has_option(spec, *option))
                        (void) fprintf(stream, "option %s\n", *option);
        if (fclose(STEAL_PTR(stream)) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(text);
        return 0;
}

static int write_functions(const char *file, SpecKey key, char *const *patterns, Error *error) {
        const char *refused = NULL;
        int r = setting_write_list(file, patterns, &refused);

        /* Only kernels without dynamic patching lack them (CONFIG_DYNAMIC_FTRACE). */
        if (r == -ENOENT && strv_length(patterns) == 0)
                return 0;
        if (r == -ENOENT)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL, "%s: the kernel has no %s", spec_key_name(key),
                                 file);
        if (r == -EINVAL && refused)
                return error_set(error, ERROR_NO_SUCH_FUNCTION, "%s: the kernel no longer has \"%s\"",
                                 spec_key_name(key), refused);
        if (r < 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "%s: the kernel refused it: %s", spec_key_name(key),
                                 strerror(-r));
        return 0;
}

static int write_option(const char *option, bool on) {
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "options/%s", option) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return setting_write(path, on ? "1" : "0");
}

static int write_options(const Spec *spec, Error *error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(defaults); i++) {
                r = write_option(defaults[i].option, defaults[i].on);
                if (r == -ENOENT)
                        r = 0;
        }
        if (r < 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the options of function_graph: %s",
                                 strerror(-r));
        for (char **option = spec->options; option && *option; option++) {
                if (!graph_has_option(spec, *option))
                        continue;
                r = write_option(option_name(*option), option_name(*option) == *option);
                if (r == -ENOENT)
                        return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                         "options: the kernel has no option \"%s\"", *option);
                if (r < 0)
                        return error_set(error, ERROR_KERNEL_REFUSED, "options: the kernel refused \"%s\": %s",
                                         *option, strerror(-r));
        }
        return 0;
}

int graph_configure(const Spec *spec, Error *error) {
        char depth[NUMBER_SIZE];
        int r;

        r = write_functions("set_graph_function", SPEC_GRAPH_FUNCTIONS, spec->graph_functions, error);
        if (r >= 0)
                r = write_functions("set_graph_notrace", SPEC_GRAPH_NOTRACE, spec->graph_notrace, error);
        if (r < 0)
                return r;
        (void) snprintf(depth, sizeof(depth), "%" PRIu64, spec->graph_depth);
        r = setting_write("max_graph_depth", depth);
        if (r >= 0)
                r = setting_write("tracing_thresh", "0");
        if (r < 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "graph_depth: the kernel refused it: %s", strerror(-r));
        return write_options(spec, error);
}
