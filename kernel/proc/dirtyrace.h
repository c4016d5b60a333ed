/* SPDX-License-Identifier: MIT */
/* What is written to /proc/dirtyrace. */
#ifndef KERNEL_DIRTYRACE_H
#define KERNEL_DIRTYRACE_H

struct process;

/*
 * "ADDRESS ROUNDS WAY WALKER": run rounds of the dirty race on a page of the caller's own
 * (mm/race.h). WAY: cmpxchg, plain_store, clear_and; WALKER: cpu, software. "walk": play the walker
 * in software for another thread's race. process is not looked at. 0, -EINVAL, -EBUSY, or -EPERM:
 * all but "cmpxchg cpu" breaks the invariant on purpose, which needs a test build or probe= on the
 * command line.
 */
long dirtyrace_command(struct process *process, const char *line);

#endif
