/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * For a process that decodes what somebody recorded, and has read all the files it needs: from here on it can take
 * memory, read and write what it has open, and end; everything else that it asks of the kernel is refused.
 */

/* No way back. -errno; -ENOTSUP on an architecture whose calls are not known here. */
int confine_process(void);
