/* SPDX-License-Identifier: MIT */
/* Starting programs. */
#ifndef KERNEL_TASK_EXEC_H
#define KERNEL_TASK_EXEC_H

#include "base/types.h"

struct trap_frame;

/* Run path in the current process. On success *frame starts the program; on failure nothing
 * changed. */
MUST_CHECK int process_exec(const char *path, const char *const argv[], const char *const envp[],
                            struct trap_frame *frame);

#endif
