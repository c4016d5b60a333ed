/* SPDX-License-Identifier: MIT */
/* The command line: words NAME=VALUE or NAME; what follows " -- " goes to init. */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include "base/types.h"
#include "boot_info.h"

/* Room for argv[0], all words that a command line can hold, and NULL. */
#define INIT_ARGS_MAX (BOOT_CMDLINE_BYTES / 2 + 2)

void cmdline_init(const char *line);
const char *cmdline_text(void);
/* The value of the last NAME=VALUE, or of NAME alone (""), before " -- "; false when there is
 * none. Cut to size. */
bool cmdline_get(const char *name, char *value, size_t size);
/* The words after " -- " in argv[first...]; returns the new count. They live as long as the
 * kernel. */
unsigned cmdline_init_args(const char *argv[], unsigned first);

#endif
