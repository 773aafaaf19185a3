/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PreviousBoot: at the start of the daemon, what the boot before recorded into the instance of the settings becomes a
 * capture, and the instance records for the boot to come. See kernel/boot-instance.h and capture/boot-capture.h,
 * which do it, on the kernel worker. Used by the model only.
 */

#include "model/model.h"

/* Once the settings are there. Without such an instance nothing happens. */
void previous_boot_save(Manager *manager);
