/* SPDX-License-Identifier: MIT */
/* Crimes inside the kernel, for the tests of its protections. Test build only. */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

struct process;

/* Commit the crime of this name; process is not looked at. 0 when nothing stopped it, -EINVAL when
 * there is none of this name. */
long crash(struct process *process, const char *name);

#endif
