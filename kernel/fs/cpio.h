/* SPDX-License-Identifier: MIT */
/* The initrd. */
#ifndef KERNEL_CPIO_H
#define KERNEL_CPIO_H

#include "base/types.h"

/*
 * Unpack cpio archives of the kinds "newc" and "crc", one behind the other, into the root. Of two
 * entries with one name the later one counts. Hard links share the contents of the last of them.
 * Returns 0, -EINVAL, -ENOMEM, or the error of a path; a log line gives the reason. Entries before
 * the error stay.
 */
MUST_CHECK int initrd_unpack(const void *cpio, size_t bytes);

#endif
