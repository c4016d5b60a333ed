/* SPDX-License-Identifier: MIT */
/* The ways to fork, by name: fork= on the command line, /proc/PID/fork. */
#ifndef KERNEL_FORK_H
#define KERNEL_FORK_H

#include "mm/mm.h"

/* auto, leaves, tables */
const char *fork_way_name(enum fork_way way);
/* False: there is no such way. */
MUST_CHECK bool fork_way_find(const char *name, enum fork_way *way);

#endif
