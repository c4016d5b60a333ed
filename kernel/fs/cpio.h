/* SPDX-License-Identifier: MIT */
/* The initrd. */
#ifndef KERNEL_CPIO_H
#define KERNEL_CPIO_H

#include "base/types.h"

/*
 * Unpack cpio archives of the kinds "newc" and "crc", one behind the other, into the root. Of two
 * entries with one name the later counts; hard links share what the last of them holds. 0, or
 * -EINVAL, -ENOMEM or what a path gave, each with a log line that says why; what came before stays.
 */
MUST_CHECK int initrd_unpack(const void *cpio, size_t bytes);

#endif
