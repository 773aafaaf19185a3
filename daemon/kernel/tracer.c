/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/tracer.h"

#include <errno.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "core/suggestion.h"
#include "kernel/features.h"
#include "kernel/instance-private.h"
#include "kernel/kernel-text.h"
#include "kernel/tracing-dir.h"

static int refuse_unknown(const Spec *spec, char *const *tracers, Error *error) {
        CLEANUP_FREE char *list = NULL, *purpose = NULL;
        Suggestion suggestion;
        int r;

        if (asprintf(&purpose, "tracer: %s", spec->tracer) < 0)
                return error_set_errno(error, -ENOMEM, "Cannot check the tracer");
        r = features_require(spec->tracer, purpose, error);
        if (r != -EINVAL)
                return r;
        suggestion_init(&suggestion, spec->tracer);
        for (size_t i = 0; tracers && tracers[i]; i++)
                suggestion_consider(&suggestion, tracers[i]);
        if (suggestion_best(&suggestion))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "tracer: the kernel has no tracer \"%s\"; did you mean \"%s\"?", spec->tracer,
                                 suggestion_best(&suggestion));
        r = strv_join(tracers, " ", &list);
        if (r < 0)
                return error_set_errno(error, r, "Cannot check the tracer");
        return error_set(error, ERROR_INVALID_ARGUMENT, "tracer: the kernel has no tracer \"%s\"; it has %s",
                         spec->tracer, list);
}

int tracer_check(const Spec *spec, Error *error) {
        CLEANUP(strv_freep) char **tracers = NULL;
        int r;

        if (!spec->tracer)
                return 0;
        r = tracing_dir_list_tracers(&tracers);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the kernel's list of tracers");
        return strv_contains(tracers, spec->tracer) ? 0 : refuse_unknown(spec, tracers, error);
}

int tracer_fits_instance(Instance *instance, const Spec *spec, Error *error, bool *ret) {
        CLEANUP(strv_freep) char **tracers = NULL;
        CLEANUP_FREE char *text = NULL;
        int r;

        if (!spec->tracer) {
                *ret = true;
                return 0;
        }
        r = kernel_text_read_tracefs(instance->tracefs, "available_tracers", &text, NULL);
        if (r >= 0)
                r = strv_split(text, " \n", &tracers);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the tracers of %s", instance->name);
        *ret = strv_contains(tracers, spec->tracer);
        return 0;
}

static int refuse_tracer(const Spec *spec, int r, Error *error) {
        if (r == -EBUSY)
                return error_set(error, ERROR_BUSY, "tracer: %s runs already, and the kernel lets it run only once",
                                 spec->tracer);
        return error_set(error, ERROR_KERNEL_REFUSED, "tracer: the kernel refused \"%s\": %s", spec->tracer,
                         strerror(-r));
}

int tracer_configure(Instance *instance, const Spec *spec, Error *error) {
        bool fits;
        int r;

        if (!spec_has_tracer(spec))
                return 0;
        r = tracer_fits_instance(instance, spec, error, &fits);
        if (r < 0)
                return r;
        if (!fits)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "tracer: %s cannot run in a trace instance of this kernel", spec->tracer);
        if (tracefs_instance_file_write(instance->tracefs, "current_tracer", spec->tracer) < 0)
                return refuse_tracer(spec, -errno, error);
        return 0;
}
