/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PROC_MEM_H
#define KERNEL_PROC_MEM_H

#include "base/types.h"

struct file;
struct process;

/* Make file, which keeps process by its inode, the memory of process. 0, or -EACCES when the caller
 * may not look into that process. */
MUST_CHECK int mem_open(struct process *process, struct file *file);

#endif
