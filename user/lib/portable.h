/* SPDX-License-Identifier: MIT */
/*
 * Tests that run on Linux as well. A test that asks Penumbra for what it alone tells, such as
 * /proc/PID/ptes, is no such test: it calls penumbra_only() before. In a run that is to be compared
 * with Linux's, the test then ends there, on both sides, and the runner prints SKIP.
 */
#ifndef USER_PORTABLE_H
#define USER_PORTABLE_H

#include <stdbool.h>

/* From now on this process and its children are in such a run. 0 or -1. */
int portable_begin(void);
/* Are we? */
bool portable(void);

/* In such a run this does not return: the process ends, and portable_refused() is true. */
void penumbra_only(void);
/* The same, if path is a file that Linux does not have, or fills with something else. */
void penumbra_only_file(const char *path);
/* Has a process of the test called penumbra_only()? */
bool portable_refused(void);
/* Another test starts. */
void portable_next(void);

#endif
