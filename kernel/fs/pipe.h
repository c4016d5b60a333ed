/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PIPE_H
#define KERNEL_PIPE_H

#include "kernel/fs/file.h"

/* The two ends of a new pipe: end[0] reads, end[1] writes. 0 or -ENOMEM. */
MUST_CHECK int pipe_create(uint32_t flags, struct file *end[2]);

#endif
