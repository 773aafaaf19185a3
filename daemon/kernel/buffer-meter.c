/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/buffer-meter.h"

#include <errno.h>
#include <stdlib.h>

struct BufferMeter {
        int *fds;
        size_t n_fds;
};

void buffer_meter_free(BufferMeter *meter) {
        if (!meter)
                return;
        for (size_t i = 0; i < meter->n_fds; i++)
                (void) close(meter->fds[i]);
        free(meter->fds);
        free(meter);
}

int buffer_meter_new(Instance *instance, Error *error, BufferMeter **ret) {
        CLEANUP(buffer_meter_freep) BufferMeter *meter = calloc(1, sizeof(*meter));
        const CpuList *cpus = instance_cpus(instance);

        if (meter)
                meter->fds = calloc(cpus->n_cpus, sizeof(meter->fds[0]));
        if (!meter || !meter->fds)
                return error_set_errno(error, -ENOMEM, "Cannot watch the counters of %s", instance_name(instance));
        for (size_t i = 0; i < cpus->n_cpus; i++) {
                int r = instance_open_stats(instance, cpus->cpus[i], &meter->fds[meter->n_fds]);

                if (r < 0)
                        return error_set_errno(error, r, "Cannot open the counters of %s", instance_name(instance));
                meter->n_fds++;
        }
        *ret = STEAL_PTR(meter);
        return 0;
}

int buffer_meter_read(BufferMeter *meter, uint64_t *ret) {
        uint64_t total = 0;

        for (size_t i = 0; i < meter->n_fds; i++) {
                BufferStats stats;
                int r = instance_read_stats(meter->fds[i], &stats);

                if (r < 0)
                        return r;
                total += stats.entries + stats.read_events + buffer_stats_lost(&stats);
        }
        *ret = total;
        return 0;
}
