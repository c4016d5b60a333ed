/* SPDX-License-Identifier: MIT */
/* The ways to fork, by name: fork= on the command line, /proc/PID/fork; and what undoes the sharing
 * of clone. */
#ifndef KERNEL_FORK_H
#define KERNEL_FORK_H

#include "mm/mm.h"

/* auto, leaves, tables */
const char *fork_way_name(enum fork_way way);
/* False: there is no such way. */
MUST_CHECK bool fork_way_find(const char *name, enum fork_way *way);

/* The current process, which has one thread, gets copies of the files (CLONE_FILES) and of the
 * working directory (CLONE_FS) that it shares with others. 0, or -ENOMEM with nothing changed. */
MUST_CHECK int process_unshare(uint64_t flags);

#endif
