/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the service manager is told, see sd_notify(3). Without one these do nothing.
 */

#include "model/manager.h"

void notify_ready(const Manager *manager); /* also after a reload */
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const Manager *manager);
